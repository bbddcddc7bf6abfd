"""The ranker of a published version, without a model server."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.models.packing import BatchError
from serving.models.runtime.ranking import MIN_ROWS, VersionRanker
from serving.training.publish.models import publish_ranker
from tests.support.ranker_batches import ITEMS, joined, slate
from tests.support.tiny_bundle import write_bundle


def test_many_rows_shared_out_to_threads_have_the_scores_of_one_thread(published: Path) -> None:
    folder, batch = published / "ranker" / "5", slate(rows=3 * MIN_ROWS)
    alone, _ = VersionRanker(folder, threads=1, memory=100).score(batch)
    shared, _ = VersionRanker(folder, threads=2, memory=100).score(batch)
    np.testing.assert_array_equal(shared, alone)


def test_a_score_is_the_sum_of_its_parts(ranker: VersionRanker) -> None:
    scores, parts = ranker.score(slate())
    np.testing.assert_allclose(scores, parts[:, 2] + parts[:, 3], rtol=1e-5)
    assert np.isfinite(parts[:, [0, 2, 3]]).all()
    assert np.isnan(parts[:, 1]).all()  # trained with queries, it needs no prior for them


def test_a_ranker_trained_without_queries_does_not_guess_at_them(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    training = json.loads((bundle / "training.json").read_text())
    training["unlearnt"] = {"text_query": None, "price": 3.0}
    (bundle / "training.json").write_text(json.dumps(training))
    publish_ranker(tmp_path / "repository", bundle)
    ranker = VersionRanker(tmp_path / "repository" / "ranker" / "1")
    asked, parts = ranker.score(slate("red mug"))
    np.testing.assert_array_equal(asked, ranker.score(slate(""))[0])
    assert parts[:, 0].max() > 0.95  # what is told of the match stays
    batch = slate("red mug")
    dearer = {**batch, "FEATURES": batch["FEATURES"] + np.array([1, 0, 0], np.float32)}
    np.testing.assert_array_equal(ranker.score(dearer)[0], asked)


def test_features_are_taken_by_name_and_a_missing_one_is_unknown(ranker: VersionRanker) -> None:
    batch = slate()
    scores, _ = ranker.score(batch)
    price, popularity, age = batch["FEATURES"].T
    other = np.full_like(price, 7)
    named = {**batch, "FEATURES": np.stack([other, age, price, popularity], 1)}
    renamed, _ = ranker.score(named, "newer,age,price,popularity")
    np.testing.assert_array_equal(renamed, scores)
    unknown = {**batch, "FEATURES": np.stack([price, np.full_like(price, np.nan), age], 1)}
    expected, _ = ranker.score(unknown)
    got, _ = ranker.score({**batch, "FEATURES": np.stack([age, price], 1)}, "age,price")
    np.testing.assert_array_equal(got, expected)


def test_a_score_depends_neither_on_batch_mates_nor_on_order(ranker: VersionRanker) -> None:
    first, second, third = slate(), slate("", 0, 0, 40, seed=1), slate("blue", 6, 0, 3, seed=2)
    alone = [ranker.score(batch) for batch in (first, second, third)]
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        batches = [(first, second, third)[i] for i in order]
        together = ranker.score(joined(*batches))
        for got, *expected in zip(together, *(alone[i] for i in order), strict=True):
            np.testing.assert_allclose(got, np.concatenate(expected), atol=1e-6)


def test_the_text_part_is_the_best_match_and_nan_without_anything_to_match(
    ranker: VersionRanker,
) -> None:
    _, parts = ranker.score(slate("red mug", 0, 0))
    assert np.argmax(parts[:, 0]) == ITEMS.index("red mug")
    assert parts[:, 0].max() > 0.95
    _, parts = ranker.score(slate("", 0, 0))
    assert np.isnan(parts[:, 0]).all()


def test_an_item_without_text_is_scored_by_its_behaviour(ranker: VersionRanker) -> None:
    batch = slate()
    batch["ITEM_TOKENS"][2] = 0
    scores, parts = ranker.score(batch)
    assert np.isfinite(scores).all()
    assert np.isnan(parts[2, 0])


def test_nothing_asked_is_nothing_answered(ranker: VersionRanker) -> None:
    for batch in (slate("", 0, 0, 0), {name: values[:0] for name, values in slate().items()}):
        scores, parts = ranker.score(batch)
        assert (scores.shape, parts.shape) == ((0,), (0, 4))


def test_a_version_without_forest_has_no_forest_part(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", forest=False)
    publish_ranker(tmp_path / "repository", bundle)
    scores, parts = VersionRanker(tmp_path / "repository" / "ranker" / "1").score(slate())
    assert np.isfinite(scores).all()
    assert np.isnan(parts[:, 3]).all()


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("FEATURES", lambda values: values[:, :2], "2 columns; this version takes 3"),
        ("FEATURES", lambda values: values[:4], "FEATURES has 4 rows, but ROW_COUNTS add up to 6"),
        ("ROW_COUNTS", lambda values: values + 1, "ROW_COUNTS add up to 7"),
        ("ROW_COUNTS", lambda values: -values, "ROW_COUNTS must be 1 numbers"),
        (
            "USER_HISTORY_COUNTS",
            lambda values: values + 1,
            r"USER_HISTORY_COUNTS \+ .* add up to 6",
        ),
        ("HISTORY_TOKENS", lambda values: values[:1], "HISTORY_TOKENS has 1 rows"),
        ("PURCHASES", lambda values: values[:1], "BOUGHT_COUNTS add up to 2"),
    ],
)
def test_a_batch_that_does_not_add_up_is_refused(
    ranker: VersionRanker, name: str, change: Any, complaint: str
) -> None:
    batch = slate()
    batch[name] = change(batch[name])
    with pytest.raises(BatchError, match=complaint):
        ranker.score(batch)
