"""Predicts what an item earns at a place: the model half of doubly robust estimates.

However wrong it is, the estimate stays right; the better it is, the narrower the interval.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.arrays import DoubleArray, LongArray

FOLDS = 5
PENALTY = 10.0  # rows' worth of belief in "no effect"


@dataclass(frozen=True, slots=True)
class Ridge:
    """Linear in standardised features; what is not known is the mean, and says so in a column."""

    mean: DoubleArray  # (F,)
    scale: DoubleArray
    coefficients: DoubleArray  # (2 F,): known values, then what is missing
    intercept: float

    def predict(self, features: npt.ArrayLike) -> DoubleArray:
        """The reward expected of rows (m, F)."""
        predicted: DoubleArray = (
            _design(np.asarray(features, np.float64), self.mean, self.scale) @ self.coefficients
            + self.intercept
        )
        return predicted


def fit(features: npt.ArrayLike, reward: DoubleArray, penalty: float = PENALTY) -> Ridge:
    """Least squares of `reward` (m,) on features (m, F), NaN = not known, shrunk by `penalty`."""
    rows = np.asarray(features, np.float64)
    known = ~np.isnan(rows)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, rows, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, np.square(rows - mean), 0.0).sum(axis=0) / count)
    scale = np.where(spread > 0, spread, 1.0)
    design = _design(rows, mean, scale)
    centre, level = design.mean(axis=0), float(reward.mean())
    centred = design - centre
    gram = centred.T @ centred + penalty * np.eye(design.shape[1])
    coefficients = np.linalg.solve(gram, centred.T @ (reward - level))
    return Ridge(mean, scale, coefficients, level - float(centre @ coefficients))


def cross_fitted(
    features: npt.ArrayLike,
    reward: DoubleArray,
    shopper: LongArray,
    folds: int = FOLDS,
    penalty: float = PENALTY,
) -> DoubleArray:
    """Predictions (m,), each by a model that has not seen its shopper.

    A model that had seen the reward would take it out of the correction, and with it the truth.
    """
    rows = np.asarray(features, np.float64)
    predicted: DoubleArray = np.zeros(len(rows))
    fold = shopper % folds
    for number in np.unique(fold).tolist():
        held_out = fold == number
        if held_out.all():
            predicted[:] = 0.0  # one fold only: a model of nothing
        else:
            model = fit(rows[~held_out], reward[~held_out], penalty)
            predicted[held_out] = model.predict(rows[held_out])
    return predicted


def _design(rows: DoubleArray, mean: DoubleArray, scale: DoubleArray) -> DoubleArray:
    known = ~np.isnan(rows)
    values = np.where(known, (rows - mean) / scale, 0.0)
    return np.concatenate([values, (~known).astype(np.float64)], axis=1)
