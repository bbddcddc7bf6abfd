"""What a count is expected to be: level times season, learnt from the windows before."""

import numpy as np
import pytest

from serving.shops.alerts.baseline import Baseline, Window, season_of

DAY = np.concatenate([np.full(12, 5.0), np.full(12, 15.0)])  # per hour: the evening is busier
WEEK = np.concatenate([DAY] * 5 + [DAY * 2] * 2)


def fed(weeks: int, seed: int = 0, scale: float = 1.0) -> Baseline:
    random = np.random.default_rng(seed)
    baseline = Baseline(Window.HOUR)
    for window in range(weeks * 168):
        baseline.add(window % 168, float(random.poisson(scale * WEEK[window % 168])))
    return baseline


def test_it_says_nothing_before_there_is_history() -> None:
    assert Baseline(Window.HOUR).mean(0) is None
    early = fed(3)
    assert early.expected(0) is None
    assert early.learnt == pytest.approx(0.75)
    assert fed(4).expected(0) is not None


def test_it_learns_the_hour_and_the_day_of_the_week() -> None:
    baseline = fed(8)
    means = np.array([baseline.mean(slot) for slot in range(168)])
    assert np.abs(means / WEEK - 1).mean() < 0.1
    assert means[5 * 24 + 20] == pytest.approx(30, rel=0.2)
    assert means[20] == pytest.approx(15, rel=0.2)


def test_of_poisson_counts_it_measures_next_to_no_dispersion() -> None:
    found = fed(8, scale=10.0).expected(20)
    assert found is not None
    assert 0 <= found.dispersion < 0.02


def test_counts_that_scatter_more_have_a_dispersion() -> None:
    random = np.random.default_rng(1)
    baseline = Baseline(Window.HOUR)
    for window in range(8 * 168):
        rate = 50 * WEEK[window % 168] / 10 * random.gamma(25, 1 / 25)  # deviation .2
        baseline.add(window % 168, float(random.poisson(rate)))
    found = baseline.expected(20)
    assert found is not None
    assert 0.03 < found.dispersion < 0.08


def test_the_level_follows_a_shop_that_grows() -> None:
    baseline = fed(6)
    random = np.random.default_rng(2)
    for window in range(4 * 168):
        baseline.add(window % 168, float(random.poisson(2 * WEEK[window % 168])))
    assert baseline.mean(20) == pytest.approx(30, rel=0.2)


def test_windows_that_are_not_known_teach_nothing() -> None:
    baseline = fed(8)
    before = baseline.mean(20)
    for window in range(100):
        baseline.add(window, None)
    assert baseline.mean(20) == before
    assert baseline.expected_two(100) is None  # the one before is not known


def test_two_windows_are_forecast_as_a_sum() -> None:
    baseline = fed(8)
    baseline.add(0, 7.0)
    found = baseline.expected_two(1)
    assert found is not None
    two, before = found
    assert before == 7.0
    assert two.mean == pytest.approx(10, rel=0.3)


def test_what_lasts_becomes_the_level_and_stays_it() -> None:
    baseline = fed(8)
    held = [(window % 168, 3 * float(WEEK[window % 168])) for window in range(168)]
    for slot, _ in held:
        baseline.add(slot, None)
    baseline.adopt(held)
    assert baseline.mean(20) == pytest.approx(45, rel=0.1)
    random = np.random.default_rng(3)
    for window in range(2 * 168):  # seasons are learnt anew meanwhile
        baseline.add(window % 168, float(random.poisson(3 * WEEK[window % 168])))
    assert baseline.mean(20) == pytest.approx(45, rel=0.2)


def test_nothing_counted_has_no_season() -> None:
    assert season_of(np.arange(168), np.zeros(168), 168) is None


def test_a_season_of_noise_is_drawn_towards_hours_and_days() -> None:
    """With one texts an hour, eight weeks do not tell 168 hours apart."""
    random = np.random.default_rng(4)
    slots = np.tile(np.arange(168), 8)
    counts = random.poisson(WEEK[slots] / 10).astype(float)
    season = season_of(slots, counts, 168)
    assert season is not None
    truth = WEEK / WEEK.mean()
    raw = np.bincount(slots, counts) / 8 / counts.mean()
    assert np.abs(season - truth).mean() < 0.5 * np.abs(raw - truth).mean()


def test_a_slot_that_was_never_seen_has_the_factor_of_the_others() -> None:
    slots = np.array([0, 1, 2, 3, 4, 5])
    season = season_of(slots, np.array([10.0, 20, 10, 20, 10, 20]), 7)
    assert season is not None
    assert np.isfinite(season).all()
    assert season[6] == pytest.approx(1, abs=0.1)
