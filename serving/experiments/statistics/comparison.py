"""Two arms compared: the relative lift, its interval and its p value."""

from dataclasses import dataclass

import numpy as np

from serving.experiments.statistics.samples import Number, Sample
from serving.experiments.statistics.sequence import ALPHA, TUNED_TO, Looks, boundary, p_value


@dataclass(frozen=True, slots=True)
class Comparison:
    """Relative lift of treatment over control, .05 = 5 % more; NaN when control's mean is zero."""

    lift: Number
    low: Number
    high: Number
    p_value: Number
    variance: Number  # of the lift


def compare(
    control: Sample,
    treatment: Sample,
    alpha: float = ALPHA,
    looks: Looks = "daily",
    tuned_to: float = TUNED_TO,
    plain_control: Sample | None = None,
    plain_treatment: Sample | None = None,
) -> Comparison:
    """Compare two samples, or as many pairs at once as their arrays hold.

    plain_control, plain_treatment: as measured, when the samples are adjusted by the past: the lift
    is relative to them, as in gbstats.
    """
    base = np.asarray((plain_control or control).mean, np.float64)
    base = np.where(base == 0, np.nan, base)
    other = (plain_treatment or treatment).mean
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = np.subtract(treatment.mean, control.mean) / base
        variance = relative_variance(
            Sample(control.n, base, control.variance),
            Sample(treatment.n, other, treatment.variance),
        )
        n = np.add(control.n, treatment.n)
        reach = boundary(n, alpha, looks, tuned_to) * np.sqrt(variance)
        p = p_value(lift, variance, n, alpha, looks, tuned_to)
    return Comparison(lift, lift - reach, lift + reach, p, variance)


def relative_variance(control: Sample, treatment: Sample) -> Number:
    """The variance of (treatment - control) / control, by the delta method."""
    base = np.asarray(control.mean, np.float64)
    value: Number = treatment.variance / (base**2 * treatment.n) + (
        control.variance * np.square(treatment.mean) / (base**4 * control.n)
    )
    return value
