"""The simulated years: what is planted is there, and the judge is asked about it."""

import numpy as np
import pytest

from loadtests.alerts.played import finding, play
from loadtests.alerts.streams import YEAR_DAYS, simulated
from serving.shops.alerts.baseline import Window
from serving.shops.alerts.judging import Criterion

DAILY = Criterion.of(Window.DAY, 1.0, 1, 0.2)


def test_a_year_is_the_same_with_and_without_a_rise_but_for_the_rise() -> None:
    usual = simulated(Window.DAY, 10_000, 3)
    planted = simulated(Window.DAY, 10_000, 3, rise=0.5, lasts_days=7)
    inside = np.zeros(len(usual.counts), bool)
    for onset in planted.onsets:
        inside[onset : onset + 7] = True
    ratio = planted.counts / usual.counts
    assert len(planted.onsets) > 20
    assert ratio[inside] == pytest.approx(1.5, rel=0.1)
    assert ratio[~inside] == pytest.approx(1.0, rel=0.1)


def test_hours_have_a_day_and_a_week() -> None:
    hours = simulated(Window.HOUR, 24_000, 1).counts[: 10 * 168].reshape(-1, 7, 24)
    by_hour, by_day = hours.mean(axis=(0, 1)), hours.mean(axis=(0, 2))
    assert by_hour[20] > 3 * by_hour[3]
    assert by_day[5] > 1.1 * by_day[0]


def test_rises_are_found_and_a_usual_year_is_quiet() -> None:
    without = [play(simulated(Window.DAY, 1_000, seed), DAILY) for seed in range(4)]
    planted = [play(simulated(Window.DAY, 1_000, seed, 0.5, 45, 7), DAILY, 7) for seed in range(4)]
    found = finding(Window.DAY, 1_000, without, planted, YEAR_DAYS)
    assert found.false_a_month <= 1
    assert found.found_in_two > 0.9
    assert found.planted > 20
    assert found.promised < 0.6
