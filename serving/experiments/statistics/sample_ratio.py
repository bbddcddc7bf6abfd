"""Sample-ratio mismatch: are shoppers in the arms as they should be? If not, nothing else counts.

A mismatch means that some shoppers were lost or moved by what the experiment itself does (a bot
filter, a crash, a redirect), and then the arms do not hold the same kind of shopper.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln
from scipy.stats import chi2

from features.arrays import DoubleArray, LongArray

MISMATCH = 0.001  # at .05 half of all alarms would be false
WARNING = 0.01
CONCENTRATION = 10_000.0  # of the prior: mismatches of about a percent are looked for


def chi_squared(counts: LongArray, weights: DoubleArray) -> DoubleArray:
    """p values of counts (..., arms) under `weights` (arms,): for a reading that happens once."""
    shares = _shares(weights)
    counts = np.asarray(counts, np.float64)
    expected = counts.sum(axis=-1, keepdims=True) * shares
    terms = np.divide(
        (counts - expected) ** 2, expected, out=np.zeros_like(counts), where=expected > 0
    )
    p: DoubleArray = np.asarray(chi2.sf(terms.sum(axis=-1), len(shares) - 1), np.float64)
    return p


def sequential(
    counts: LongArray, weights: DoubleArray, concentration: float = CONCENTRATION
) -> DoubleArray:
    """p values (..., looks) that hold on all looks at once.

    counts: (..., looks, arms), cumulated. The Bayes factor of a Dirichlet-multinomial around
    `weights` against `weights` themselves; its inverse, the smallest so far, is a p value at any
    time (Lindon, Malek, arXiv 2011.01808).
    """
    shares = _shares(weights)
    prior = concentration * shares
    counts = np.asarray(counts, np.float64)
    total = counts.sum(axis=-1)
    log_factor = (
        gammaln(concentration)
        - gammaln(concentration + total)
        + (gammaln(prior + counts) - gammaln(prior)).sum(axis=-1)
        - (counts * np.log(shares)).sum(axis=-1)
    )
    p: DoubleArray = np.minimum.accumulate(np.minimum(np.exp(-log_factor), 1.0), axis=-1)
    return p


def _shares(weights: npt.ArrayLike) -> DoubleArray:
    given = np.asarray(weights, np.float64)
    if given.ndim != 1 or len(given) < 2 or not np.all(given > 0):
        raise ValueError(f"weights: two or more positive ones are needed, not {given.tolist()}")
    shares: DoubleArray = given / given.sum()
    return shares
