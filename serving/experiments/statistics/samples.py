"""What one arm's shoppers come to: number, mean and variance, of a mean or of a ratio."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.arrays import BoolArray, DoubleArray

Number = float | DoubleArray  # many experiments at once are arrays of one shape


@dataclass(frozen=True, slots=True)
class Sample:
    """One arm. The variance is the one between shoppers, of which n were counted."""

    n: Number
    mean: Number
    variance: Number


class Adjusted(NamedTuple):
    """Values (n,) with what their past explains taken out, and the share of variance that was."""

    values: DoubleArray
    saved: float


def sample_of(values: DoubleArray) -> Sample:
    """The sample of one value a shopper (n,); raises ValueError below two shoppers."""
    if len(values) < 2:
        raise ValueError(f"values: a variance needs two shoppers, there are {len(values)}")
    return Sample(float(len(values)), float(values.mean()), float(values.var(ddof=1)))


def linearised(numerator: DoubleArray, denominator: DoubleArray) -> DoubleArray:
    """Values (n,) whose mean is sum(numerator) / sum(denominator), and whose variance is its own.

    The delta method (Deng, Knoblich, Lu, 2018, "Applying the delta method in metric analytics"):
    a ratio over shoppers is not a mean over impressions, whose errors are not independent. Give one
    arm at a time. NaN when the denominator is zero for all.
    """
    mean = denominator.mean()
    if mean == 0:
        return np.full(len(numerator), np.nan)
    ratio = numerator.mean() / mean
    values: DoubleArray = ratio + (numerator - ratio * denominator) / mean
    return values


def adjusted(values: DoubleArray, arms: Sequence[BoolArray], past: DoubleArray) -> Adjusted:
    """`values` (n,) less what `past` (n, k), known before exposure, says of them: CUPED.

    theta is pooled over `arms` (a mask (n,) each): one for all, so that it can make no difference
    between them (Deng, Xu, Kohavi, Walker, 2013). NaN in `past` is a shopper without one: the
    column's mean stands there, and a further column says so.
    """
    columns = _completed(past)
    centred, explained_by = np.zeros_like(values), np.zeros_like(columns)
    for arm in arms:
        centred[arm] = values[arm] - values[arm].mean()
        explained_by[arm] = columns[arm] - columns[arm].mean(axis=0)
    total = float(centred @ centred)
    if total == 0 or columns.shape[1] == 0:
        return Adjusted(values, 0.0)
    scale = np.sqrt(np.einsum("ij,ij->j", explained_by, explained_by))
    explained_by /= np.where(scale > 0, scale, 1.0)
    columns = columns / np.where(scale > 0, scale, 1.0)
    # Directions that hardly vary (a constant, a copy of another column) get no weight.
    gram = explained_by.T @ explained_by
    theta = np.linalg.lstsq(gram, explained_by.T @ centred, rcond=1e-10)[0]
    rest = centred - explained_by @ theta
    anywhere = np.logical_or.reduce(list(arms))
    shift = (columns - columns[anywhere].mean(axis=0)) @ theta
    return Adjusted(values - shift, 1.0 - float(rest @ rest) / total)


def _completed(past: DoubleArray) -> DoubleArray:
    missing = np.isnan(past)
    known = ~missing
    count = known.sum(axis=0)
    sums = np.where(known, past, 0.0).sum(axis=0)
    means = np.where(count > 0, sums / np.maximum(count, 1), 0.0)
    told: DoubleArray = missing[:, missing.any(axis=0)].astype(np.float64)
    return np.concatenate([np.where(missing, means, past), told], axis=1)
