"""Corrects the position bias of clicks by inverse propensity weights.

Position-based model (Richardson et al., 2007): an item is clicked when it was examined and wanted,
and whether it was examined depends on its position alone. Clicks far down are weighted by the
inverse of the examination propensity. In expectation the loss is then that of a log without the
bias (Joachims, Swaminathan, Schnabel, 2017, "Unbiased learning-to-rank with biased feedback").
"""

from collections.abc import Sequence
from dataclasses import replace

import lightgbm
import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray
from serving.training.data.impressions import Shown
from serving.training.data.slates import Slates, in_slate_order

MAX_INVERSE = 10.0  # clipped: a click at the bottom may not outweigh a whole batch
EM_ROUNDS = 8


def debiased(
    shown: Sequence[Shown], slates: Slates, features: FloatArray, seed: int
) -> tuple[Slates, FloatArray]:
    """`slates` with inverse-propensity weights, and the propensities estimated from them.

    `features`: (R, n) columns of `slates`, which predict whether a candidate was wanted.
    """
    positions = in_slate_order(
        [ranking.positions for ranking in shown], [ranking.case for ranking in shown], slates
    )
    propensities = estimate_propensities(slates.labels > 0, positions, features, seed)
    return replace(slates, weights=inverse_weights(positions, slates.labels, propensities)), (
        propensities
    )


def inverse_weights(
    positions: npt.NDArray[np.int64], labels: FloatArray, propensities: FloatArray
) -> FloatArray:
    """The weight of each candidate (R,): 1 / propensity of its position, 1 without a label."""
    examined = propensities[np.minimum(positions, len(propensities)) - 1]
    weights: FloatArray = np.ones(len(labels), np.float32)
    wanted = labels > 0
    weights[wanted] = np.minimum(1 / examined[wanted], MAX_INVERSE)
    return weights


def estimate_propensities(
    clicked: npt.NDArray[np.bool_],
    positions: npt.NDArray[np.int64],
    features: FloatArray,
    seed: int,
) -> FloatArray:
    """P(examined) by position relative to the first, float32 (largest position,).

    Regression EM (Wang et al., 2018, "Position bias estimation for unbiased learning to rank in
    personal search"). One step estimates the chance that each shown item was examined and that it
    was wanted; the other fits the trees that predict the latter from `features` (n, n_features),
    which hold no position.
    """
    last = int(positions.max())
    place = positions - 1
    shown = np.bincount(place, minlength=last).astype(np.float64)
    rate = np.bincount(place, clicked, minlength=last) / np.maximum(shown, 1)
    examined = np.clip(rate / max(rate[0], 1e-9), 1e-3, 1.0)
    wanted = np.full(len(place), max(float(rate[0]), 1e-3))
    click = clicked.astype(np.float64)
    for _ in range(EM_ROUNDS):
        chance = np.clip(1 - examined[place] * wanted, 1e-9, None)
        was_examined = click + (1 - click) * examined[place] * (1 - wanted) / chance
        was_wanted = click + (1 - click) * wanted * (1 - examined[place]) / chance
        examined = np.bincount(place, was_examined, minlength=last) / np.maximum(shown, 1)
        wanted = _expected(features, was_wanted, seed)
    return np.asarray(examined / examined[0], np.float32)


def _expected(
    features: FloatArray, target: npt.NDArray[np.float64], seed: int
) -> npt.NDArray[np.float64]:
    data = lightgbm.Dataset(features, target)
    trees = lightgbm.train(
        {
            "objective": "cross_entropy",
            "num_leaves": 31,
            "learning_rate": 0.15,
            "min_data_in_leaf": 100,
            "num_threads": 2,
            "seed": seed,
            "deterministic": True,
            "verbosity": -1,
        },
        data,
        50,
    )
    predicted = np.asarray(trees.predict(features, num_threads=2), np.float64)
    return np.asarray(np.clip(predicted, 1e-4, 1 - 1e-4))
