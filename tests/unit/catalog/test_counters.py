"""Counts that fade."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.arrays import DoubleArray, IntArray, RowArray
from features.catalog.counters import DAY_S, FADED, HALF_LIFE, Counter, ItemCounters

AT_S = 1_700_000_000.0
ROW = np.array([0])


@pytest.fixture
def bought() -> ItemCounters:
    """One item that was bought once, at AT_S."""
    counters = ItemCounters(1)
    counters.add(ROW, np.array([Counter.PURCHASE]), np.array([1.0]), np.array([AT_S]))
    return counters


def test_a_count_halves_with_each_half_life(bought: ItemCounters) -> None:
    counts = bought.at(ROW, AT_S + DAY_S)[0, Counter.PURCHASE]
    assert counts[HALF_LIFE["1d"]] == 0.5
    assert counts[HALF_LIFE["1h"]] == np.float32(2.0**-24)


@pytest.mark.parametrize("days", [4.9, 5.6, 6.0, 30.0, 3000.0])
def test_a_count_that_has_faded_to_nothing_reads_0(bought: ItemCounters, days: float) -> None:
    assert bought.at(ROW, AT_S + days * DAY_S)[0, Counter.PURCHASE, HALF_LIFE["1h"]] == 0.0


def test_a_count_before_that_still_tells_how_long_ago_it_was(bought: ItemCounters) -> None:
    yesterday, days_ago = (
        bought.at(ROW, AT_S + days * DAY_S)[0, Counter.PURCHASE, HALF_LIFE["1h"]]
        for days in (1, 4.7)
    )
    assert yesterday > days_ago > FADED


def test_no_count_is_ever_subnormal(bought: ItemCounters) -> None:
    for days in np.linspace(0.0, 40_000.0, 5_000):
        counts = bought.at(ROW, AT_S + days * DAY_S)
        assert ((counts == 0.0) | (counts >= FADED)).all()


@settings(deadline=None)
@given(
    additions=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from(Counter),
            st.floats(-2.0, 5.0, allow_subnormal=False),
            st.integers(-10, 10).map(lambda days: AT_S + days * DAY_S),
        ),
        max_size=30,
    )
)
def test_what_is_counted_together_is_what_is_counted_one_by_one(
    additions: list[tuple[int, Counter, float, float]],
) -> None:
    together, one_by_one = ItemCounters(3), ItemCounters(3)
    together.add(*columns(additions))
    for addition in additions:
        one_by_one.add(*columns([addition]))
    for name in ("counts", "at_s", "first_s"):
        np.testing.assert_array_equal(getattr(together, name), getattr(one_by_one, name))


def test_what_comes_late_has_faded_by_the_time_of_what_came_before(bought: ItemCounters) -> None:
    late = (0, Counter.PURCHASE, 1.0, AT_S - DAY_S)
    bought.add(*columns([late]))
    assert bought.at_s[0] == AT_S
    assert bought.first_s[0] == AT_S - DAY_S
    assert bought.counts[0, Counter.PURCHASE, HALF_LIFE["1d"]] == 1.5


def test_no_more_is_taken_back_than_was_counted(bought: ItemCounters) -> None:
    bought.add(*columns([(0, Counter.PURCHASE, -3.0, AT_S), (0, Counter.CART, 1.0, AT_S)]))
    assert (bought.counts[0, Counter.PURCHASE] == 0).all()
    assert (bought.counts[0, Counter.CART] == 1).all()


def columns(
    additions: list[tuple[int, Counter, float, float]],
) -> tuple[RowArray, IntArray, DoubleArray, DoubleArray]:
    """Row, counter, weight and time of each, as `add` takes them."""
    table = np.array(additions, np.float64).reshape(-1, 4)
    return table[:, 0].astype(np.int64), table[:, 1].astype(np.int32), table[:, 2], table[:, 3]
