"""What a group has more is told apart from what else tells it apart."""

import numpy as np
import pandas as pd
import pytest

from features.catalog.item import Item
from features.datasets.format import Dataset, DatasetInfo
from loadtests.fairness.audit import baskets_before, seller_of
from loadtests.fairness.known import adjusted, strata

N = 1_200


def world(of_group: float, seed: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Values that grow with a measure, of which the group has more; and by `of_group` besides.

    Three rankings of each shopper."""
    rng = np.random.default_rng(seed)
    shopper = np.arange(N) // 3
    group = shopper % 2 == 0
    measure = (rng.normal(size=N // 3)[shopper] + group).astype(np.float64)
    noise = rng.normal(0.0, 0.05, N // 3)[shopper] + rng.normal(0.0, 0.05, N)
    return 0.5 + 0.1 * measure + of_group * group + noise, group, shopper, measure


def test_a_difference_that_a_measure_explains_is_gone_with_it_held_alike() -> None:
    """A 95 % interval misses nothing one time in twenty."""
    missed = 0
    for seed in range(20):
        values, group, shopper, measure = world(0.0, seed)
        plain, held = adjusted(values, group, shopper, {"m": measure}, [(), ("m",)])
        assert plain.apart.low > 0.05
        assert (plain.held, held.held) == ((), ("m",))
        missed += not held.apart.low <= 0 <= held.apart.high
    assert missed <= 4


def test_a_difference_that_it_does_not_explain_stays() -> None:
    values, group, shopper, measure = world(0.08)
    (held,) = adjusted(values, group, shopper, {"m": measure}, [("m",)])
    assert held.apart.low < 0.08 < held.apart.high
    assert held.apart.low > 0.04


def test_without_anything_held_alike_it_is_the_difference_of_the_means() -> None:
    values, group, shopper, _ = world(0.03)
    values[::7] = np.nan
    (plain,) = adjusted(values, group, shopper, {}, [()])
    expected = np.nanmean(values[group]) - np.nanmean(values[~group])
    assert plain.apart.value == pytest.approx(expected)


def test_thirds_have_all_rankings_and_differ_less_where_the_measure_explains() -> None:
    values, group, shopper, measure = world(0.0)
    thirds = strata(values, group, shopper, measure)
    assert sum(sum(each.groups) for each in thirds) == N
    assert [each.low for each in thirds] == sorted(each.low for each in thirds)
    whole = values[group].mean() - values[~group].mean()
    assert all(each.apart.value < whole / 2 for each in thirds)
    assert thirds[0].apart.value == pytest.approx(thirds[0].ndcg[1] - thirds[0].ndcg[0])


def test_the_interval_is_wider_where_a_shopper_s_rankings_are_alike() -> None:
    values, group, shopper, _ = world(0.0)
    (alike,) = adjusted(values, group, shopper, {}, [()])
    (apart,) = adjusted(values, group, np.arange(N), {}, [()])
    width = [each.apart.high - each.apart.low for each in (apart, alike)]
    assert width[1] > 1.3 * width[0]


def test_baskets_before_are_those_that_were_over() -> None:
    rows = [("ann", 1.0), ("ann", 1.0), ("ann", 5.0), ("bob", 2.0), ("ann", 9.0)]
    events = pd.DataFrame(rows, columns=["user_id", "at"]).assign(type="purchase")
    events.loc[4, "type"] = "view"
    data = Dataset(DatasetInfo(name="shop"), pd.DataFrame(), events)
    found = baskets_before(data, ["ann", "ann", "bob", "cid"], [5.0, 10.0, 10.0, 10.0])
    assert found.tolist() == [1, 2, 1, 0]  # two items at one time are one basket


def test_a_seller_is_what_the_attribute_says_however_it_is_written() -> None:
    assert seller_of(Item("a", "a", attributes={"Seller": "Ada"})) == "Ada"
    assert seller_of(Item("a", "a", attributes={"colour": "red"})) == ""
