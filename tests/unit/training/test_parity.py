"""The gate: what is too far from float32 is not published."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.models.runtime.ranking import VersionRanker
from serving.training.publish.models import publish_ranker
from serving.training.publish.parity import Parity, ParityError, ParityLimits, slate_ndcgs
from serving.training.publish.repository import (
    PublishError,
    version_in_use,
    versions,
)
from tests.support.ranker_batches import joined, slate


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"mean_cosine": 0.9}, "mean_cosine"),
        ({"min_cosine": 0.5}, "min_cosine"),
        ({"rank_correlation": float("nan")}, "rank_correlation"),
        ({"ndcg_float32": 0.5, "ndcg": 0.49}, "NDCG@10 loss 0.0200"),
    ],
)
def test_each_limit_of_parity_holds_alone(change: dict[str, float], named: str) -> None:
    figures: dict[str, Any] = {
        "n_texts": 9, "mean_cosine": 0.999, "min_cosine": 0.99, "rank_correlation": 0.999,
        "ndcg_float32": 0.5, "ndcg": 0.499,
    }  # fmt: skip
    Parity(**figures).check(ParityLimits())
    with pytest.raises(ParityError, match=named):
        Parity(**{**figures, **change}).check(ParityLimits())


def test_a_bundle_below_the_limits_is_not_published(tmp_path: Path, bundle: Path) -> None:
    strict = ParityLimits(min_mean_cosine=0.99999)
    with pytest.raises(PublishError, match="mean_cosine"):
        publish_ranker(tmp_path, bundle, limits=strict)
    assert version_in_use(tmp_path, "ranker") is None
    assert versions(tmp_path, "ranker") == []


def test_ndcg_on_slates_is_one_for_labels_in_the_ranker_s_order(
    ranker: VersionRanker, published: Path, tmp_path: Path
) -> None:
    batch = joined(slate(), slate(seed=3))
    scores, _ = ranker.score(batch)
    best = np.zeros(12, np.float32)
    best[[np.argmax(scores[:6]), 6 + np.argmax(scores[6:])]] = 1
    np.savez(tmp_path / "slates.npz", **batch, LABELS=best)
    folder = published / "ranker" / "5"
    assert slate_ndcgs(folder, tmp_path / "slates.npz").mean() == 1.0
    np.savez(tmp_path / "slates.npz", **batch, LABELS=1 - best)
    assert slate_ndcgs(folder, tmp_path / "slates.npz").mean() < 1.0


def test_the_gate_holds_a_constant_score_to_be_worth_a_random_order(
    repository: Path, tmp_path: Path
) -> None:
    folder = repository / "ranker" / "5"
    training = json.loads((folder / "training.json").read_text())
    for member in training["blend"].values():
        member["weight"] = 0.0
    (folder / "training.json").write_text(json.dumps(training))
    wanted_first = np.array([1, 0, 0, 0, 0, 0], np.float32)
    np.savez(tmp_path / "slates.npz", **slate(), LABELS=wanted_first)
    expected = np.mean(1 / np.log2(np.arange(2, 8)))
    assert slate_ndcgs(folder, tmp_path / "slates.npz") == pytest.approx([expected])
