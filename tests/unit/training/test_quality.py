"""Metrics by hand, ties included; and what they compare."""

import numpy as np
import pytest

from features.behavior.replay import item_table
from serving.training.data.baskets import baskets, next_basket_cases
from serving.training.data.cases import Draw
from serving.training.data.slate_building import build_slates
from serving.training.evaluate.baselines import by_rules, shortlisted
from serving.training.quality import coverage, interval, mean_known, quality
from tests.support.tiny_shop import tiny_shop


def _one(scores: list[float], gains: list[float]) -> tuple[float, float, float, float]:
    found = quality(
        np.array(scores, np.float32), np.array(gains, np.float32), np.array([0, len(scores)])
    )
    return (
        float(found.ndcg[0]),
        float(found.hit_rate[0]),
        float(found.reciprocal_rank[0]),
        float(found.auc[0]),
    )


def test_a_wanted_item_in_second_place_of_three() -> None:
    assert _one([3, 2, 1], [0, 1, 0]) == pytest.approx((1 / np.log2(3), 1.0, 0.5, 0.5))


def test_a_constant_score_is_worth_a_random_order() -> None:
    ndcg, hit_rate, _, auc = _one([0.0] * 100, [1.0] + [0.0] * 99)
    assert hit_rate == pytest.approx(0.10)
    assert auc == pytest.approx(0.5)
    assert ndcg == pytest.approx(sum(1 / np.log2(k + 2) for k in range(10)) / 100)


def test_the_order_in_which_candidates_are_listed_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    scores, gains = rng.integers(0, 4, 30).astype(float), (rng.random(30) < 0.2).astype(float)
    gains[0] = 1.0
    order = rng.permutation(30)
    assert _one(list(scores[order]), list(gains[order])) == pytest.approx(
        _one(list(scores), list(gains))
    )


def test_graded_gains_in_the_ideal_order_are_worth_one() -> None:
    assert _one([9, 8, 7, 6], [1.0, 0.1, 0.01, 0.0])[0] == pytest.approx(1.0)


def test_a_slate_with_nothing_to_find_is_not_counted() -> None:
    found = quality(
        np.zeros(4, np.float32), np.array([0, 0, 1, 0], np.float32), np.array([0, 2, 4])
    )
    assert np.isnan(found.ndcg[0])
    assert np.isfinite(found.ndcg[1])


def test_the_interval_of_a_clear_difference_excludes_zero() -> None:
    mean, low, high = interval(np.random.default_rng(0).normal(0.1, 0.2, 400))
    assert 0 < low < mean < high


def test_coverage_counts_what_reaches_the_first_places() -> None:
    scores = np.array([2, 1, 0, 0, 1, 2], np.float32)
    rows, offsets = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 3, 6])
    assert coverage(scores, rows, offsets, depth=1) == pytest.approx(2 / 3)


def test_a_mean_leaves_out_what_is_unknown_and_is_none_when_nothing_is_known() -> None:
    assert mean_known(np.array([0.5, np.nan, 1.0])) == 0.75
    assert mean_known(np.array([np.nan])) is None


def test_a_shortlist_keeps_our_order_of_the_best_by_rules_and_the_rules_order_of_the_rest() -> None:
    shop = tiny_shop()
    items = item_table(shop)
    cases = next_basket_cases(
        baskets(shop, items)[-5:], [Draw(uniform=8)], np.random.default_rng(0), 0.0
    )
    slates = build_slates(shop, items, cases, seed=0)
    rules = by_rules(items)(slates, np.zeros((0, 0), np.float32))
    ours = np.random.default_rng(1).normal(size=len(rules)).astype(np.float32)
    found = shortlisted(slates, ours, rules, 3)
    for start, end in zip(slates.offsets[:-1], slates.offsets[1:], strict=True):
        best = np.argsort(-rules[start:end], kind="stable")
        order = np.argsort(-found[start:end], kind="stable").tolist()
        assert order[:3] == sorted(best[:3].tolist(), key=lambda row: -ours[start + row])
        assert order[3:] == best[3:].tolist()
