"""Which new item deserves a look: Thompson sampling whose prior is set by what stands there.

A new item's rate of interest is Beta distributed, with a prior mean at which it beats the item that
stands at the place with probability epsilon ("dynamic prior", Zhao et al., 2026, arXiv 2602.00943).
The paper's closed form takes both rates for normal. At a shop's rates of a few per cent that is far
off, so the mean is searched for; here and below, probabilities are sums over a grid of rates.

The chance of each item to win is worked out first, and the winner drawn from these chances. So what
is logged is what was drawn by, whatever the grid's error (adr/0035).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import betainc

from features.arrays import DoubleArray
from features.behavior.item_features import CTR_PRIOR

MOST = 10  # new items that are compared: the best by score
_RATES = np.concatenate([[0.0], np.geomspace(1e-3, 1.0, 40)])  # edges of the grid
_STEPS = 30  # of the search: the mean to a billionth


class Interest(NamedTuple):
    """What an item was given when it was looked at; decayed counts (n,) or of one item."""

    taken: DoubleArray | float  # clicks, views
    passed: DoubleArray | float  # examinations without


def chance_to_win(new: Interest, incumbent: Interest, epsilon: float) -> DoubleArray:
    """The probability of each new item (n,) to have the highest rate, the incumbent's included.

    They add up to less than 1: with the rest, the incumbent stays.
    """
    clicks, examinations = CTR_PRIOR
    taken, passed = np.ravel(incumbent.taken)[0], np.ravel(incumbent.passed)[0]
    mean = _prior_mean(round(float(taken), 1), round(float(passed), 1), epsilon)
    successes = np.append(mean * examinations + new.taken, clicks + taken)
    failures = np.append((1 - mean) * examinations + new.passed, examinations - clicks + passed)
    below = betainc(successes[:, None], failures[:, None], _RATES)  # (n + 1, edges)
    between, middle = np.diff(below), (below[:, 1:] + below[:, :-1]) / 2
    logs = np.log(np.maximum(middle, 1e-300))
    wins: DoubleArray = (between * np.exp(logs.sum(axis=0) - logs)).sum(axis=1)
    wins /= wins.sum()
    return wins[:-1]


@lru_cache(10_000)
def _prior_mean(taken: float, passed: float, epsilon: float) -> float:
    """Of an item never seen, to beat one with these counts by `epsilon`."""
    clicks, examinations = CTR_PRIOR
    other = betainc(clicks + taken, examinations - clicks + passed, _RATES)
    low, high = 1e-6, 1 - 1e-6
    mean = epsilon
    for _ in range(_STEPS):
        mean = float((low * high) ** 0.5)
        own = betainc(mean * examinations, (1 - mean) * examinations, _RATES)
        beats = float(((other[1:] + other[:-1]) / 2 * np.diff(own)).sum())
        low, high = (mean, high) if beats < epsilon else (low, mean)
    return mean
