"""Whether a count is a rise: at the rate of false alarms that is set, and until it is calm."""

import math

import numpy as np
import pytest
from scipy.stats import nbinom, poisson

from serving.shops.alerts.baseline import Expected, Window
from serving.shops.alerts.judging import Criterion, Judge, State, chance_of

DAILY = Criterion.of(Window.DAY, 1.0, 1, 0.2)


def judge_of(mean: float = 100.0, weeks: int = 12, criterion: Criterion = DAILY) -> Judge:
    """Has seen Poisson counts of a level without a season."""
    random = np.random.default_rng(0)
    judge = Judge(criterion)
    for window in range(weeks * 7):
        judge.see(window % 7, float(random.poisson(mean)), mean)
    return judge


def test_the_chance_of_a_count_is_that_of_the_distribution() -> None:
    assert chance_of(12, Expected(7.5, 0.0)) == pytest.approx(poisson.sf(11, 7.5))
    mean, dispersion = 40.0, 0.05
    size = 1 / dispersion
    exact = nbinom.sf(59, size, size / (size + mean))
    assert chance_of(60, Expected(mean, dispersion)) == pytest.approx(exact)
    assert chance_of(0, Expected(mean, dispersion)) == 1.0


def test_several_alerts_share_the_false_alarms_that_are_allowed() -> None:
    assert Criterion.of(Window.HOUR, 1.0, 1, 0.2).chance == pytest.approx(0.8 / 730.5)
    assert Criterion.of(Window.HOUR, 1.0, 4, 0.2).chance == pytest.approx(0.8 / 730.5 / 4)
    assert Criterion.of(Window.DAY, 0.5, 2, 0.2).chance == pytest.approx(0.8 * 0.25 / 30.44)


def test_half_as_much_again_fires_and_a_usual_day_does_not() -> None:
    judge = judge_of()
    assert judge.see(0, 104, 104).state is State.CALM
    found = judge.see(1, 150, 150)
    assert (found.state, found.changed) == (State.FIRING, True)
    assert found.expected == pytest.approx(100, rel=0.05)
    assert found.chance is not None
    assert found.chance < DAILY.chance


def test_two_windows_together_find_what_each_alone_does_not() -> None:
    one = Expected(100.0, 0.0)
    limit = next(n for n in range(100, 200) if chance_of(n, one) <= DAILY.chance / 2)
    almost = float(limit - 1)
    assert not DAILY.rises(almost, None, one, None)
    assert DAILY.rises(almost, almost, one, Expected(200.0, 0.0))


def test_a_small_rise_of_much_is_not_told() -> None:
    """Of 100,000 a rise of 3 % is no chance, and nobody is to be woken for it."""
    many = Expected(100_000.0, 1e-5)
    assert chance_of(103_000, many) < DAILY.chance
    assert not DAILY.rises(103_000, None, many, None)
    assert DAILY.rises(121_000, None, many, None)


def test_it_fires_until_two_windows_are_calm() -> None:
    judge = judge_of()
    judge.see(0, 170, 170)
    assert judge.see(1, 165, 165).state is State.FIRING
    assert judge.see(2, 101, 101).state is State.FIRING
    assert judge.see(3, 150, 150).state is State.FIRING  # it was not over
    assert judge.see(4, 99, 99).state is State.FIRING
    calm = judge.see(5, 102, 102)
    assert (calm.state, calm.changed) == (State.CALM, True)


def test_a_rise_is_not_learnt_while_it_fires() -> None:
    judge = judge_of()
    verdicts = [judge.see(day % 7, 160, 160) for day in range(6)]
    assert {verdict.state for verdict in verdicts} == {State.FIRING}
    assert max(verdict.expected or 0 for verdict in verdicts) < 110


def test_a_rise_that_lasts_is_the_new_normal_after_two_weeks() -> None:
    judge = judge_of(criterion=Criterion.of(Window.DAY, 0.05, 1, 0.2))
    states = [judge.see(day % 7, 200.0 + day % 3, 200).state for day in range(30)]
    over = states.index(State.CALM)
    assert over == 13
    assert set(states[:over]) == {State.FIRING}
    assert set(states[over:]) == {State.CALM}
    assert judge.see(2, 400, 400).state is State.FIRING  # and twice that is a rise again


def test_a_stream_that_was_away_is_no_fall_of_the_level() -> None:
    judge = judge_of()
    for day in range(5):
        verdict = judge.see(day, 0, 0)
        assert verdict.chance is None
    assert judge.see(5, 103, 103).state is State.CALM


def test_with_too_little_history_it_learns_and_says_nothing() -> None:
    judge = Judge(DAILY)
    for day in range(55):
        verdict = judge.see(day % 7, 100, 100)
        assert (verdict.state, verdict.chance) == (State.LEARNING, None)
    assert judge.see(6, 100, 100).state is State.LEARNING
    assert judge.learnt == 1
    assert judge.see(0, 100, 100).state is State.CALM


def test_what_it_can_find_depends_on_how_much_there_is_to_count() -> None:
    found = [judge_of(mean).found_from(0) for mean in (5.0, 50.0, 500.0, 5000.0)]
    assert None not in found
    rises = [float(rise) for rise in found if rise is not None]
    assert rises == sorted(rises, reverse=True)
    assert rises[0] > 1.0
    assert rises[-1] < 0.35
    assert Judge(DAILY).found_from(0) is None


def test_what_it_promises_to_find_it_finds() -> None:
    random = np.random.default_rng(5)
    one, two = Expected(60.0, 0.01), Expected(120.0, 0.01)
    rise = DAILY.found_from(one, two)
    assert math.isfinite(rise)
    found = 0
    for _ in range(2_000):
        size = 1 / one.dispersion
        mean = one.mean * (1 + rise)
        first, second = random.negative_binomial(size, size / (size + mean), 2)
        found += DAILY.rises(float(first), None, one, None) or DAILY.rises(
            float(second), float(first), one, two
        )
    assert found / 2_000 > 0.88
