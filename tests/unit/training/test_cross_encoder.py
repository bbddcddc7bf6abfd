"""The plain cross-encoder that ours is compared with: what it reads, and what is fitted on it."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from features.behavior.matrix import FEATURE_NAMES
from serving.training.data.slates import LIMITS, Slates
from serving.training.evaluate.cross_comparison import thinned, with_column
from serving.training.evaluate.judged import N_FOLDS, folds
from serving.training.fit.cross_encoder import MAX_TOKENS, MIN_CONTEXT, CrossEncoder, Pairs

CLS, SEP = 101, 102
TEXTS = ["blue mug", "red kettle with a long spout", " ".join(["iron"] * 200)]


def slates_of(
    queries: list[str], sizes: list[int], recent: npt.NDArray[np.int32] | None = None
) -> Slates:
    """Slates whose first candidate is wanted; candidates are items 0, 1, 2, 0, ..."""
    n, n_rows = len(queries), sum(sizes)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    labels = np.zeros(n_rows, np.float32)
    labels[offsets[:-1]] = 1.0
    history = np.full((n, LIMITS.user_history), -1, np.int32)
    if recent is not None:
        history[:, : recent.shape[1]] = recent
    return Slates(
        tuple(queries),
        np.zeros(n),
        np.zeros(n, np.int64),
        history,
        np.full((n, LIMITS.session_history), -1, np.int32),
        np.full((n, LIMITS.bought_history), -1, np.int32),
        np.zeros((n, LIMITS.bought_history, 3), np.float32),
        offsets,
        np.arange(n_rows, dtype=np.int64) % len(TEXTS),
        labels,
        np.ones(n_rows, np.float32),
        np.arange(n_rows, dtype=np.float32)[:, None] * np.ones(len(FEATURE_NAMES), np.float32),
    )


@pytest.fixture(scope="module")
def model() -> CrossEncoder:
    torch.manual_seed(0)
    return CrossEncoder()


def test_a_pair_holds_query_recent_titles_and_item(model: CrossEncoder) -> None:
    slates = slates_of(["cup"], [2], recent=np.array([[1, 1]], np.int32))
    pairs = Pairs(model.tower, TEXTS, slates).of(np.arange(2))
    cup, mug, kettle = model.tower.tokens(["cup", TEXTS[0], TEXTS[1]])
    assert pairs[0][0] == CLS
    assert pairs[0][-len(mug) :] == [SEP, *mug[1:]]
    assert pairs[0].count(SEP) == 2
    assert set(cup[1:-1]) <= set(pairs[0])
    # Once, though the shopper looked at it twice.
    assert pairs[0].count(kettle[1]) == 1


def test_a_long_item_leaves_room_for_the_query(model: CrossEncoder) -> None:
    slates = slates_of(["cup"], [3])
    pair = Pairs(model.tower, TEXTS, slates).of(np.array([2]))[0]
    cup = model.tower.tokens(["cup"])[0]
    assert len(pair) == MAX_TOKENS
    assert pair[: len(cup)] == cup
    assert pair[-1] == SEP
    long = slates_of([" ".join(["cup"] * 200)], [3])
    pair = Pairs(model.tower, TEXTS, long).of(np.array([2]))[0]
    assert len(pair) == MAX_TOKENS
    assert pair.index(SEP) == MIN_CONTEXT


def test_a_new_cross_encoder_adds_nothing_to_the_text_match(model: CrossEncoder) -> None:
    pairs = Pairs(model.tower, TEXTS, slates_of(["cup"], [3])).of(np.arange(3))
    with torch.no_grad():
        np.testing.assert_array_equal(model(pairs).numpy(), np.zeros(3, np.float32))


def test_thinned_slates_keep_what_was_wanted() -> None:
    slates = slates_of(["a", "b", "c"], [30, 2, 9])
    found = thinned(slates, 5, seed=0)
    assert np.diff(found.offsets).tolist() == [5, 2, 5]
    assert np.add.reduceat(found.labels, found.offsets[:-1]).tolist() == [1, 1, 1]
    # Rows stay together: the feature tells which row of `slates` each was.
    rows = found.features[:, 0].astype(int)
    np.testing.assert_array_equal(found.item_rows, slates.item_rows[rows])
    np.testing.assert_array_equal(found.labels, slates.labels[rows])


def test_the_new_column_stands_before_the_text_matches() -> None:
    features = np.zeros((2, len(FEATURE_NAMES) + 3), np.float32)
    features[:, len(FEATURE_NAMES) :] = 7.0
    found = with_column(features, np.array([1.0, 2.0], np.float32))
    assert found[:, len(FEATURE_NAMES)].tolist() == [1.0, 2.0]
    assert (found[:, len(FEATURE_NAMES) + 1 :] == 7.0).all()


def test_every_query_is_held_out_once() -> None:
    slates = slates_of([f"q{n}" for n in range(13)], [2] * 13)
    parts = list(folds(slates, seed=3))
    held_out = [np.setdiff1d(np.arange(13), train) for train in parts]
    assert len(parts) == N_FOLDS
    assert sorted(np.concatenate(held_out).tolist()) == list(range(13))
