"""The network, the trees and the bundle: what was fitted is what is served."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch

from features.behavior.matrix import FEATURE_NAMES
from serving.models.runtime.ranking import Member
from serving.models.runtime.scoring import TEXT_FEATURES, _best_matches, text_features
from serving.training.data.slates import Slates
from serving.training.fit.blending import blend, choose_blend
from serving.training.fit.bundle import Bundle, write_bundle
from serving.training.fit.forest import ForestOptions, fit_forest, forest_onnx
from serving.training.fit.head import HeadOptions, fit_head, head_onnx, head_scores, listwise_loss
from serving.training.fit.network import Head, TextTower, text_match
from serving.training.publish.base_model import base_folder, base_weights, merge_delta

FloatArray = npt.NDArray[np.float32]
WIDTH = len(FEATURE_NAMES) + len(TEXT_FEATURES)


@pytest.fixture(scope="module")
def tower() -> TextTower:
    torch.manual_seed(0)
    return TextTower(base_folder())


def _rows(seed: int, n: int, width: int = WIDTH, unknown: float = 0.2) -> FloatArray:
    rng = np.random.default_rng(seed)
    rows = np.round(rng.normal(size=(n, width)), 1).astype(np.float32)  # many equal values
    rows[rng.random(rows.shape) < unknown] = np.nan
    return rows


def _run(model: bytes, features: FloatArray) -> FloatArray:
    out: FloatArray = onnxruntime.InferenceSession(model).run(None, {"features": features})[0]
    return out


def test_the_onnx_head_gives_the_scores_of_the_torch_head() -> None:
    features = _rows(0, 400)
    gains = (np.nan_to_num(features[:, 0]) > 0.5).astype(np.float32)
    head = Head(WIDTH)
    fit_head(head, features, gains, np.arange(0, 401, 20), 0, HeadOptions(epochs=2, slates=4))
    fresh = _rows(1, 100, unknown=0.5)
    fresh[0] = np.nan
    served = _run(head_onnx(head), fresh)
    assert served.shape == (100, 1)
    np.testing.assert_allclose(served[:, 0], head_scores(head, fresh), atol=1e-4)


def test_the_onnx_forest_gives_lightgbms_scores_with_nan_in_columns_that_never_had_one() -> None:
    features = _rows(0, 2_000, width=8)
    features[:, 3] = np.nan_to_num(features[:, 3])
    gains = (np.nan_to_num(features[:, 0]) + features[:, 3] > 1).astype(np.float32)
    ones = np.ones(len(gains), np.float32)
    options = ForestOptions(trees=30, min_rows=20, threads=1)
    forest = fit_forest(features, gains, ones, np.arange(0, 2_001, 20), 0, options)
    fresh = np.concatenate([features, _rows(2, 500, width=8, unknown=0.5)])
    fresh[-1] = np.nan
    served = _run(forest_onnx(forest), fresh)
    assert served.shape == (2_500, 1)
    np.testing.assert_allclose(served[:, 0], forest.predict(fresh), atol=1e-5)


def test_the_same_trees_are_the_same_bytes_in_every_process() -> None:
    """Its converter keeps names in a set, which seed 20 lists in another order than seed 0."""
    code = """if True:
        import sys
        import numpy as np
        from serving.training.fit.forest import ForestOptions, fit_forest, forest_onnx

        rows = np.arange(400, dtype=np.float32).reshape(200, 2)
        gains, ones = rows[:, 0] % 3 // 2, np.ones(200, np.float32)
        options = ForestOptions(trees=1, min_rows=5, threads=1)
        forest = fit_forest(rows, gains, ones, np.arange(0, 201, 20), 0, options)
        sys.stdout.buffer.write(forest_onnx(forest))
    """
    first, second = (
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for seed in ("0", "20")
    )
    assert first == second


def test_training_and_serving_compute_the_same_text_features() -> None:
    rng = np.random.default_rng(0)

    def unit(n: int) -> FloatArray:
        rows = rng.normal(size=(n, 16)).astype(np.float32)
        unit_rows: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit_rows

    for n_user, n_session, n_bought, with_query in (
        (5, 2, 4, True),
        (1, 0, 1, False),
        (0, 3, 0, True),
    ):
        items, user, session, bought = (unit(n) for n in (7, n_user, n_session, n_bought))
        purchases = rng.uniform(0, 50, (n_bought, 3)).astype(np.float32)
        query = unit(1)[0] if with_query else None
        served = text_features(items, query, user, session, bought, purchases)
        trained = text_match(
            torch.from_numpy(items),
            None if query is None else torch.from_numpy(query),
            torch.from_numpy(user),
            torch.from_numpy(session),
            torch.from_numpy(bought),
            torch.from_numpy(purchases),
        )
        np.testing.assert_allclose(trained.numpy(), served, atol=1e-5)


def test_an_untrained_delta_leaves_the_base_model(tower: TextTower) -> None:
    assert all(not tower.delta()[name].any() for name in tower.delta() if name.endswith("_B"))


def test_the_delta_merged_into_the_base_weights_is_the_tuned_tower(tower: TextTower) -> None:
    tuned = TextTower(base_folder())
    for adapter in tuned.adapters.values():
        torch.nn.init.normal_(adapter.up, std=0.02)
    texts = ["green tea, 20 bags", "a lamp"]
    moved = tuned.encode(texts)
    assert np.abs(moved - tower.encode(texts)).max() > 0.01
    merged = merge_delta(base_weights(base_folder()), tuned.delta())
    plain = TextTower(base_folder())
    for name, adapter in plain.adapters.items():
        adapter.base.weight.data = torch.from_numpy(np.array(merged[f"{name}.weight"]))
    np.testing.assert_allclose(plain.encode(texts), moved, atol=2e-3)  # float16 of the delta


def test_an_encoding_does_not_depend_on_the_texts_beside_it(tower: TextTower) -> None:
    alone = tower.encode(["green tea"])
    beside = tower.encode(["green tea", "a very long title of something else altogether"])
    np.testing.assert_allclose(beside[:1], alone, atol=1e-5)


def test_a_written_bundle_scores_as_what_was_fitted(tower: TextTower, tmp_path: Path) -> None:
    features = _rows(0, 600)
    gains = (np.nan_to_num(features[:, 0]) > 0.5).astype(np.float32)
    offsets = np.arange(0, 601, 20)
    head = Head(WIDTH)
    fit_head(head, features, gains, offsets, 0, HeadOptions(epochs=1, slates=4))
    forest = fit_forest(
        features, gains, np.ones(600, np.float32), offsets, 0, ForestOptions(trees=5, threads=1)
    )
    members = (Member("head", 0.3, 0.1, 2.0), Member("forest", 0.7, -0.2, 0.5))
    write_bundle(tmp_path / "b", tower, head, forest, members, {"dataset": {"name": "tiny"}})
    bundle = Bundle(tmp_path / "b")
    fitted = {
        "head": head_scores(head, features),
        "forest": np.asarray(forest.predict(features), np.float32),
    }
    np.testing.assert_allclose(bundle.scores(features), blend(fitted, members), atol=1e-4)
    assert json.loads((tmp_path / "b/training.json").read_text())["dataset"]["name"] == "tiny"


def test_a_bundle_of_other_features_is_refused(tmp_path: Path, tower: TextTower) -> None:
    write_bundle(tmp_path / "b", tower, Head(WIDTH), None, [Member("head", 1, 0, 1)], {})
    training = json.loads((tmp_path / "b/training.json").read_text())
    training["feature_names"] = training["feature_names"][1:]
    (tmp_path / "b/training.json").write_text(json.dumps(training))
    with pytest.raises(ValueError, match="other features"):
        Bundle(tmp_path / "b")


def test_the_listwise_loss_is_least_for_the_order_of_the_gains() -> None:
    gains, slate_of = torch.tensor([0.0, 1.0, 0.0]), torch.zeros(3, dtype=torch.long)
    right = listwise_loss(torch.tensor([0.0, 5.0, 0.0]), gains, slate_of, 1)
    wrong = listwise_loss(torch.tensor([5.0, 0.0, 0.0]), gains, slate_of, 1)
    assert right < 0.1 < wrong


def test_the_demonstrations_bundle_fits_the_features_that_are_computed_now() -> None:
    bundle = Bundle(Path("serving/training/bundles/grocery"))
    scores = bundle.scores(_rows(0, 50))
    assert np.isfinite(scores).all()
    assert scores.std() > 0
    assert sum(file.stat().st_size for file in bundle.folder.iterdir()) < 2_500_000


def test_members_that_do_equally_well_are_blended_evenly_and_a_bad_one_is_left_out() -> None:
    rng = np.random.default_rng(0)
    n_slates, size = 200, 20
    truth = rng.normal(size=(n_slates, size)).astype(np.float32)
    labels = (truth == truth.max(axis=1, keepdims=True)).astype(np.float32).ravel()
    slates = Slates(
        queries=("",) * n_slates,
        at_s=np.zeros(n_slates),
        interactions=np.zeros(n_slates, np.int64),
        user_history=np.zeros((n_slates, 0), np.int32),
        session_history=np.zeros((n_slates, 0), np.int32),
        bought=np.zeros((n_slates, 0), np.int32),
        purchases=np.zeros((n_slates, 0, 3), np.float32),
        offsets=np.arange(0, n_slates * size + 1, size),
        item_rows=np.zeros(n_slates * size, np.int64),
        labels=labels,
        weights=np.ones_like(labels),
        features=np.zeros((n_slates * size, 0), np.float32),
    )

    def noisy(much: float) -> FloatArray:
        return (truth.ravel() + much * rng.normal(size=truth.size)).astype(np.float32)

    members, metrics = choose_blend({"head": noisy(0.5), "forest": noisy(0.5)}, slates)
    assert [(member.name, member.weight) for member in members] == [("head", 0.5), ("forest", 0.5)]
    assert metrics["blend"] > max(metrics["head"], metrics["forest"])  # two err less than one
    (head, _), metrics = choose_blend({"head": noisy(0.1), "forest": noisy(50.0)}, slates)
    assert head.weight >= 0.9


@pytest.mark.parametrize("n", [1, 2, 3, 4, 64])
def test_the_best_matches_are_those_of_a_sorted_history(n: int) -> None:
    rng = np.random.default_rng(n)
    cosines = rng.normal(size=(50, n)).astype(np.float32)
    cosines[::5] = cosines[::5, :1]  # all alike
    kept = cosines.copy()
    largest, mean = _best_matches(cosines)
    top = np.sort(kept, axis=1)[:, -3:]
    assert (largest == top[:, -1]).all()
    np.testing.assert_allclose(mean, top.mean(axis=1), rtol=1e-6)
    assert (cosines == kept).all()
