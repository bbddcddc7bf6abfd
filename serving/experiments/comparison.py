"""How far two rankings of the same items lie apart."""

import numpy as np

from features.arrays import FloatArray, RowArray

PERSISTENCE = 0.9  # of RBO: the first ten places have 86 % of the weight
TOP = 10


def rank_biased_overlap(one: RowArray, other: RowArray, p: float = PERSISTENCE) -> float:
    """RBO of two permutations of the same n > 0 items: 1 for the same order, near 0 for a reversed
    long one.

    Webber, Moffat, Zobel (2010), "A similarity measure for indefinite rankings", equation 32: the
    agreement at the last place, 1 here, is taken to hold beyond it.
    """
    n = len(one)
    place = np.empty(n, np.int64)
    place[other] = np.arange(n)
    # An item is in both tops from the later of its two places on.
    later = np.maximum(np.arange(n), place[one])
    depth = np.arange(1, n + 1)
    agreement = np.cumsum(np.bincount(later, minlength=n)) / depth
    powers = p**depth
    return float(agreement[-1] * powers[-1] + (1 - p) / p * (agreement * powers).sum())


def top_overlap(one: RowArray, other: RowArray, top: int = TOP) -> float:
    """The share of the first `top` that both have."""
    k = min(top, len(one))
    return len(np.intersect1d(one[:k], other[:k])) / k


def score_shift(before: FloatArray, after: FloatArray) -> float:
    """How much higher the scores of the same items are, in spreads of those `before`."""
    return float((after.mean() - before.mean()) / (before.std() + 1e-9))
