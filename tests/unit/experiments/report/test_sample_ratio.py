"""Sample-ratio mismatch: what stops a reading, once or daily."""

import numpy as np
import pytest
from scipy.stats import chisquare

from serving.experiments.report.reading import sample_ratio
from serving.experiments.statistics.sample_ratio import MISMATCH, chi_squared, sequential

EVEN = np.array([0.5, 0.5])


def test_the_chi_squared_test_is_scipys() -> None:
    counts = np.array([[5_000, 5_200], [300, 100]])
    expected = [chisquare(row, row.sum() * np.array([0.75, 0.25])).pvalue for row in counts]
    assert chi_squared(counts, np.array([3.0, 1.0])) == pytest.approx(expected)


def test_the_sequential_test_never_takes_an_alarm_back() -> None:
    rng = np.random.default_rng(3)
    steps = rng.multinomial(200, [0.4, 0.6], size=30)
    later_even = rng.multinomial(200, EVEN, size=100)
    p = sequential(np.cumsum(np.concatenate([steps, later_even]), axis=0), EVEN)
    assert np.all(np.diff(p) <= 0)
    assert p[-1] < MISMATCH


def test_arms_that_are_as_they_should_be_raise_few_alarms_however_often_they_are_read() -> None:
    rng = np.random.default_rng(5)
    counts = np.cumsum(rng.multinomial(150, [0.2, 0.3, 0.5], size=(2_000, 40)), axis=1)
    shares = np.array([0.2, 0.3, 0.5])
    by_sequence = (sequential(counts, shares)[:, -1] < MISMATCH).sum()
    by_repetition = (chi_squared(counts, shares) < MISMATCH).any(axis=1).sum()
    assert by_sequence <= 2  # of 2,000
    assert by_repetition > 4  # which is why it does not decide a daily reading


@pytest.mark.parametrize("looks", ["daily", "once"])
def test_a_lost_tenth_of_an_arm_stops_the_reading(looks: str) -> None:
    counts = np.cumsum(np.tile([1_000, 900], (14, 1)), axis=0)
    told = sample_ratio(counts, {"a": 1.0, "b": 1.0}, looks)  # type: ignore[arg-type]
    assert told.state == "mismatch"
    assert told.counts == {"a": 14_000, "b": 12_600}


def test_a_single_suspicious_look_warns_and_does_not_stop_a_daily_reading() -> None:
    counts = np.array([[1_000, 1_140]])  # p = .0025
    assert sample_ratio(counts, {"a": 1.0, "b": 1.0}, "daily").state == "warning"
    assert sample_ratio(counts, {"a": 1.0, "b": 1.0}, "once").state == "warning"
    assert sample_ratio(np.array([[1_000, 1_040]]), {"a": 1.0, "b": 1.0}, "daily").state == "ok"


@pytest.mark.parametrize("weights", [[1.0], [0.5, 0.0], [0.5, -0.5], [0.5, float("nan")]])
def test_weights_that_are_none_are_refused_by_name(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        chi_squared(np.array([1] * len(weights)), np.array(weights))
