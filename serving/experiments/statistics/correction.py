"""Corrections for looking at several metrics or segments: among twenty, one is "found" by chance.

Holm bounds the chance of any false finding; Benjamini-Hochberg bounds the share of false findings
among the findings, and finds more. Holm is for what is decided by, the other for what is looked at.
"""

from enum import StrEnum

import numpy as np
from scipy.stats import false_discovery_control

from features.arrays import DoubleArray


class Correction(StrEnum):
    """Closed set; the names stand in every report."""

    HOLM = "holm"
    BENJAMINI_HOCHBERG = "benjamini_hochberg"


def corrected(p_values: DoubleArray, how: Correction) -> DoubleArray:
    """Adjusted p values (m,), to be compared with alpha; NaN stays NaN and counts for nothing."""
    known = ~np.isnan(p_values)
    out: DoubleArray = np.full(len(p_values), np.nan)
    if not known.any():
        return out
    if how is Correction.BENJAMINI_HOCHBERG:
        out[known] = false_discovery_control(p_values[known], method="bh")
    else:
        out[known] = _holm(p_values[known])
    return out


def _holm(p_values: DoubleArray) -> DoubleArray:
    """Step-down: the k-th smallest of m times m - k + 1, never below the one before it."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    rising = np.maximum.accumulate(np.minimum(p_values[order] * factors, 1.0))
    out: DoubleArray = np.empty(len(p_values))
    out[order] = rising
    return out
