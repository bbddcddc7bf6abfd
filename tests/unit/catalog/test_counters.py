"""Counts that fade."""

import numpy as np
import pytest

from features.catalog.counters import DAY_S, FADED, HALF_LIFE, Counter, ItemCounters

AT_S = 1_700_000_000.0
ROW = np.array([0])


@pytest.fixture
def bought() -> ItemCounters:
    """One item that was bought once, at AT_S."""
    counters = ItemCounters(1)
    counters.add(0, Counter.PURCHASE, 1.0, AT_S)
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
