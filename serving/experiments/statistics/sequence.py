"""Asymptotic confidence sequences: intervals that hold on all days at once, so any day may look.

Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory and asymptotic
confidence sequences" (arXiv 2103.06476v7): interval by equation 9, rho by 161, p value by 155, in
the form that GrowthBook's gbstats 0.8.0 computes. (Its page gives another formula.)
"""

from math import log, sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np

from serving.experiments.statistics.samples import Number

ALPHA = 0.05
TUNED_TO = 5_000.0  # shoppers at which the sequence is narrowest
LEAST_SHOPPERS = 100  # an arm; below it "asymptotic" promises nothing

# How often an experiment is read: at any time, or a single time that was fixed before it began.
Looks = Literal["daily", "once"]


def rho(alpha: float = ALPHA, tuned_to: float = TUNED_TO) -> float:
    """The mixing parameter that makes the sequence narrowest at `tuned_to` shoppers."""
    return sqrt((-2 * log(alpha) + log(-2 * log(alpha) + 1)) / tuned_to)


def boundary(
    n: Number, alpha: float = ALPHA, looks: Looks = "daily", tuned_to: float = TUNED_TO
) -> Number:
    """How many standard errors an estimate of `n` shoppers, all arms together, may be off.

    `once`: the normal quantile.
    """
    if looks == "once":
        return NormalDist().inv_cdf(1 - alpha / 2) + 0.0 * n
    squared = n * rho(alpha, tuned_to) ** 2
    wide: Number = np.sqrt(2 * (squared + 1) * np.log(np.sqrt(squared + 1) / alpha) / squared)
    return wide


def p_value(
    estimate: Number,
    variance: Number,
    n: Number,
    alpha: float = ALPHA,
    looks: Looks = "daily",
    tuned_to: float = TUNED_TO,
) -> Number:
    """The p value of `estimate` against zero; `variance` is that of the estimate.

    It is below `alpha` just when the interval of `boundary` leaves zero out.
    """
    if looks == "once":
        from scipy.special import ndtr

        fixed: Number = 2 * ndtr(-np.abs(estimate) / np.sqrt(variance))
        return fixed
    squared = n * rho(alpha, tuned_to) ** 2
    exponent = squared * np.square(estimate) / variance / (2 * (squared + 1))
    with np.errstate(over="ignore"):  # a p value of zero is one
        p: Number = np.minimum(np.sqrt(squared + 1) * np.exp(-exponent), 1.0)
    return p
