"""Measures of exposure: what is even is 1, what is one-sided is not; intervals hold the truth."""

import numpy as np
import pytest

from loadtests.fairness.measures import (
    DEPTH,
    Rankings,
    exposure,
    exposure_of,
    ndcg,
    quality_by_group,
    spread,
)

N, SIZE = 400, 20
OFFSETS = np.arange(0, N * SIZE + 1, SIZE)
NAMES = ("few", "many")


def rankings(lead: float, seed: int = 1) -> tuple[Rankings, np.ndarray]:
    """Every fourth item is of the first group; `lead`: what its scores have before others'."""
    rng = np.random.default_rng(seed)
    item = np.tile(np.arange(SIZE), N)
    few = item % 4 == 0
    scores = (rng.normal(size=N * SIZE) + lead * few).astype(np.float32)
    gain = (rng.random(N * SIZE) < 0.2).astype(np.float32)
    found = Rankings.ordered(scores, item, gain, OFFSETS, np.arange(N) // 4)
    return found, np.where(found.item % 4 == 0, 0, 1)


def test_an_order_by_chance_is_even() -> None:
    ranked, group = rankings(0.0)
    found = exposure("kind", ranked, group, NAMES)
    for one in found.groups:
        assert one.parity.low <= 1.0 <= one.parity.high
        assert one.of_relevance.low <= 1.0 <= one.of_relevance.high
    assert found.groups[0].offered == pytest.approx(0.25)
    assert sum(one.exposure.value for one in found.groups) == pytest.approx(1.0)


def test_a_group_that_is_put_first_has_more_than_its_share() -> None:
    even = exposure("kind", *rankings(0.0), NAMES)
    tilted = exposure("kind", *rankings(2.0), NAMES)
    assert tilted.groups[0].parity.low > 1.5
    assert tilted.groups[1].parity.high < 1.0
    assert tilted.awrf.high < even.awrf.low


def test_awrf_is_one_where_exposure_is_as_on_offer_and_nothing_is_shown_elsewhere() -> None:
    offsets = np.array([0, 2])
    ranked = Rankings(offsets, np.array([0, 1]), np.ones(2, np.float32), np.array([0]))
    alone = exposure("kind", ranked, np.array([0, 0]), NAMES)
    assert alone.awrf.value == pytest.approx(1.0)
    both = exposure("kind", ranked, np.array([0, 1]), NAMES)
    first, second = exposure_of(2)
    assert both.groups[0].exposure.value == pytest.approx(first / (first + second))
    assert both.awrf.value < 1.0


def test_rows_of_no_group_count_nowhere() -> None:
    ranked, group = rankings(0.0)
    some = exposure("kind", ranked, np.where(ranked.item < 8, group, -1), NAMES)
    assert some.groups[0].offered == pytest.approx(0.25)
    assert sum(one.exposure.value for one in some.groups) == pytest.approx(1.0)


def test_exposure_ends_behind_the_depth() -> None:
    ranked, _ = rankings(0.0)
    by_ranking = ranked.exposure.reshape(N, SIZE)
    np.testing.assert_allclose(by_ranking[:, :DEPTH], np.tile(exposure_of(DEPTH), (N, 1)))
    assert not by_ranking[:, DEPTH:].any()


def test_gini_is_none_where_all_are_alike_and_high_where_few_have_all() -> None:
    turns = np.concatenate([np.roll(np.arange(SIZE), turn) for turn in range(SIZE)] * 20)
    gain = np.zeros(len(turns), np.float32)
    even = spread(Rankings(OFFSETS, turns, gain, np.arange(N)))
    assert (even.items, even.coverage) == (SIZE, 1.0)
    assert even.gini == pytest.approx(0.0, abs=1e-9)
    same = spread(Rankings(OFFSETS, np.tile(np.arange(SIZE), N), gain, np.arange(N)))
    assert same.coverage == pytest.approx(DEPTH / SIZE)
    assert same.gini > 0.5


def test_ndcg_is_one_for_the_best_order_and_nothing_without_a_wanted_item() -> None:
    gain = np.array([1, 1, 0, 0, 0, 1, 0, 0, 0], np.float32)
    ranked = Rankings(np.array([0, 3, 6, 9]), np.arange(9), gain, np.arange(3))
    found = ndcg(ranked)
    assert found[:2].tolist() == [1.0, pytest.approx(0.5)]
    assert np.isnan(found[2])


def people() -> tuple[np.ndarray, np.ndarray]:
    """Five rankings of each shopper; a third of them are of no group."""
    shopper = np.arange(1_500) // 5
    return shopper, np.where(shopper % 3 == 2, -1, shopper % 3)


def test_a_group_that_is_served_worse_is_told_apart() -> None:
    shopper, group = people()
    values = np.random.default_rng(3).normal(0.6, 0.1, len(shopper)) - 0.1 * (group == 0)
    worse, better = quality_by_group(values, shopper, group, NAMES)
    assert worse.apart.high < 0 < better.apart.low
    assert (worse.shoppers, worse.rankings) == (100, 500)


def test_groups_that_are_served_alike_are_seldom_told_apart() -> None:
    """One in twenty, by a 95 % interval; shoppers differ, so that rankings of one are alike."""
    shopper, group = people()
    apart = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        values = rng.normal(0.6, 0.1, 300)[shopper] + rng.normal(0.0, 0.05, len(shopper))
        first, _ = quality_by_group(values, shopper, group, NAMES)
        apart += not first.apart.low <= 0 <= first.apart.high
    assert apart <= 9
