"""Confidence sequences: the formula, and that looking every day is allowed."""

from math import log, sqrt

import numpy as np
import pytest

from serving.experiments.statistics.comparison import compare
from serving.experiments.statistics.samples import Sample
from serving.experiments.statistics.sequence import boundary, p_value, rho


@pytest.mark.parametrize("n", [200.0, 5_000.0, 80_000.0])
def test_the_half_width_is_that_of_gbstats(n: float) -> None:
    """Its lines, with their names: s2 is the variance of the estimate times N."""
    alpha, tuned, s2 = 0.05, 5_000, 7.0
    r = sqrt((-2 * log(alpha) + log(-2 * log(alpha) + 1)) / tuned)
    inner = 2 * (n * r**2 + 1) * log(sqrt(n * r**2 + 1) / alpha) / (n * r) ** 2
    width = sqrt(s2) * sqrt(inner)
    assert float(boundary(n)) * sqrt(s2 / n) == pytest.approx(width)
    assert rho() == pytest.approx(r)


@pytest.mark.parametrize("looks", ["daily", "once"])
@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_the_p_value_is_below_alpha_just_when_the_interval_leaves_zero_out(
    looks: str, alpha: float
) -> None:
    n, variance = 3_000.0, 0.0004
    edge = float(boundary(n, alpha, looks)) * sqrt(variance)  # type: ignore[arg-type]
    for estimate, found in ((edge * 1.001, True), (edge * 0.999, False), (-edge * 1.001, True)):
        p = p_value(estimate, variance, n, alpha, looks)  # type: ignore[arg-type]
        assert bool(p < alpha) is found


def test_a_sequence_is_narrowest_where_it_is_tuned_to() -> None:
    n = 20_000.0
    widths = {tuned: float(boundary(n, tuned_to=tuned)) for tuned in (1_000, 5_000, 20_000, 90_000)}
    assert min(widths, key=lambda tuned: widths[tuned]) == 20_000


def test_a_lift_is_relative_and_its_variance_is_that_of_a_ratio() -> None:
    rng = np.random.default_rng(2)
    control, treatment = Sample(400.0, 5.0, 9.0), Sample(500.0, 5.5, 16.0)
    told = compare(control, treatment, looks="once")
    drawn = rng.normal(5.5, 4 / sqrt(500), 200_000) / rng.normal(5.0, 3 / sqrt(400), 200_000) - 1
    assert told.lift == pytest.approx(0.1)
    assert float(told.variance) == pytest.approx(drawn.var(), rel=0.03)
    assert told.low < told.lift < told.high


def test_a_control_of_nothing_has_no_lift() -> None:
    told = compare(Sample(200.0, 0.0, 0.0), Sample(200.0, 1.0, 1.0))
    assert not np.isfinite(told.lift)
