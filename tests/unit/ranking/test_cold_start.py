"""Rules rank whatever is known, even nothing, and every part of a score is told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.behavior.matrix import FEATURE_NAMES
from serving.ranking.cold_start import cold_start_scores
from serving.ranking.values import FeatureMatrix
from serving.shops.rules import ColdStartRules, Weights
from serving.types import Scores
from tests.support.fakes import matrix


def score(features: FeatureMatrix, **rules: object) -> Scores:
    return cold_start_scores(features, ColdStartRules.model_validate(rules))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 12), st.data())
def test_any_columns_give_finite_scores_and_parts_that_add_up_to_them(
    n: int, data: st.DataObject
) -> None:
    cells = st.one_of(st.just(np.nan), st.floats(-20, 20, width=32))
    size = n * len(FEATURE_NAMES)
    drawn = data.draw(st.lists(cells, min_size=min(size, 60), max_size=min(size, 60)))
    features = matrix(n)
    features.values[:] = np.resize(np.array(drawn, np.float32), (n, len(FEATURE_NAMES)))
    found = score(features)
    assert found.values.shape == (n,)
    assert np.isfinite(found.parts).all()
    np.testing.assert_allclose(found.parts.sum(axis=1), found.values, rtol=1e-4, atol=1e-4)
    assert found.part_names == tuple(Weights.model_fields)


def test_candidates_of_which_nothing_is_known_are_all_alike() -> None:
    assert score(matrix(5)).values.tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("column", "part"),
    [
        ("item_purchase_7d", "popularity"),
        ("item_interest_7d", "popularity"),
        ("item_trend_7d_30d", "trend"),
        ("session_neighbor", "similar_shoppers"),
        ("user_neighbor", "similar_shoppers"),
        ("session_category_3", "session_intent"),
        ("user_category_1", "taste"),
        ("user_times_bought", "bought_before"),
        ("retrieval_score", "retrieval"),
    ],
)
def test_more_of_a_signal_never_ranks_lower(column: str, part: str) -> None:
    base = {"item_purchase_7d": 0.0, "item_interest_7d": 0.0}
    found = score(matrix(4, **{**base, column: np.array([0.0, 1.0, 2.0, 3.0])}))
    told = found.parts[:, found.part_names.index(part)]
    assert (np.diff(told) > 0).all()
    assert (np.diff(found.values) > 0).all()


def test_newer_items_and_better_matches_rank_higher() -> None:
    newness = score(matrix(3, item_age_days=np.log1p([0.0, 10.0, 400.0])))
    assert (np.diff(newness.values) < 0).all()
    match = score(matrix(3, has_query=1.0, query_words=np.array([0.0, 0.5, 1.0])))
    assert (np.diff(match.values) > 0).all()


def test_words_of_an_earlier_query_are_no_match_for_this_request() -> None:
    features = matrix(2, has_query=0.0, query_words=np.array([0.0, 1.0]))
    assert np.isnan(features.query_match).all()
    assert len(set(score(features).values.tolist())) == 1


def test_a_query_speaks_louder_than_popularity() -> None:
    features = matrix(
        3,
        item_purchase_7d=np.array([9.0, 1.0, 1.0]),
        item_interest_7d=0.0,
        has_query=1.0,
        query_words=np.array([0.0, 0.0, 1.0]),
    )
    assert int(np.argmax(score(features).values)) == 2


def test_a_taste_for_a_narrow_category_tells_items_of_one_wide_category_apart() -> None:
    features = matrix(
        2,
        session_category_1=np.array([1.0, 1.0]),
        session_category_2=np.array([1.0, 0.0]),
        session_category_3=np.array([1.0, np.nan]),
    )
    first, second = score(features).values.tolist()
    assert first > second


def test_an_unknown_signal_neither_helps_nor_harms() -> None:
    found = score(matrix(3, retrieval_score=np.array([1.0, np.nan, -1.0])))
    assert found.values[1] == 0.0


def test_a_weight_of_zero_switches_a_signal_off() -> None:
    features = matrix(2, retrieval_score=np.array([1.0, -1.0]))
    assert score(features, weights={"retrieval": 0}).values.tolist() == [0.0, 0.0]


def test_popularity_within_a_category_compares_with_its_deepest_level() -> None:
    category = np.array([[0, 1, -1], [0, 1, -1], [0, 2, -1], [0, 2, -1]], np.int32)
    features = matrix(
        4,
        category=category,
        item_purchase_7d=np.array([9.0, 8.0, 2.0, 1.0]),
        item_interest_7d=0.0,
    )
    found = score(features)
    told = found.parts[:, found.part_names.index("popularity_in_category")]
    np.testing.assert_allclose(told, [0.5, -0.5, 0.5, -0.5], atol=1e-5)
