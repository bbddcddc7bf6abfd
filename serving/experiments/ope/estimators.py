"""Estimators of a policy's reward per ranking, as functions of sums over shoppers.

Importance weights come in three forms, by what a place's reward is taken to depend on (Kiyohara,
Saito et al., 2022, "Doubly robust off-policy evaluation for ranking policies under the cascade
behavior model"). The weaker the assumption, the larger the weights:

    item_position  the item and its place                 marginal propensities
    cascade        the item and those before it (RIPS)    conditional propensities
    standard       the whole slate                        conditional propensities
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from features.arrays import DoubleArray
from serving.experiments.ope.slates import LoggedSlates, OpeRefusedError, Propensities


class Form(StrEnum):
    """Closed set of weights; see above."""

    ITEM_POSITION = "item_position"
    CASCADE = "cascade"
    STANDARD = "standard"


class Weights(NamedTuple):
    """Importance weights (n, K) of what was shown, and of the places before (1 at the first)."""

    here: DoubleArray
    before: DoubleArray


def weights(slates: LoggedSlates, form: Form) -> Weights:
    """The weights of `form`; raises OpeRefusedError where the propensities are of another kind."""
    needed = Propensities.MARGINAL if form is Form.ITEM_POSITION else Propensities.CONDITIONAL
    # At a single place the two kinds are one.
    if slates.kind is not needed and slates.shown.shape[1] > 1:
        raise OpeRefusedError(f"the {form} form needs {needed} propensities, not {slates.kind}")
    ratio: DoubleArray = np.ones(slates.shown.shape)
    np.divide(slates.target, slates.logged, out=ratio, where=slates.shown)
    if form is Form.ITEM_POSITION:
        return Weights(ratio, np.ones_like(ratio))
    product = np.asarray(np.cumprod(ratio, axis=1), np.float64)
    if form is Form.STANDARD:
        whole = np.repeat(product[:, -1:], ratio.shape[1], axis=1)
        return Weights(whole, np.ones_like(ratio))
    before = np.ones_like(ratio)
    before[:, 1:] = product[:, :-1]
    return Weights(product, before)


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over rankings: by shopper (u, ...), or over draws of shoppers (draws, ...)."""

    rankings: DoubleArray  # (u,)
    places: DoubleArray  # (u, K), rankings that have the place
    reward: DoubleArray  # (u, K)
    weight: DoubleArray
    weighted_reward: DoubleArray
    weighted_rest: DoubleArray  # weight * (reward - predicted)
    baseline: DoubleArray  # weight of the places before * expected

    def drawn(self, counts: DoubleArray) -> "Sums":
        """The sums over shoppers, each taken counts (draws, u) times."""
        return Sums(
            *(counts @ array for array in (
                self.rankings, self.places, self.reward, self.weight, self.weighted_reward,
                self.weighted_rest, self.baseline))
        )  # fmt: skip


def sums_by_shopper(slates: LoggedSlates, of: Weights, clip: float) -> Sums:
    """Everything that the estimators need, with weights cut off at `clip`."""
    here, before = np.minimum(of.here, clip), np.minimum(of.before, clip)
    shown = slates.shown
    n_shoppers = int(slates.shopper.max()) + 1
    predicted = slates.predicted if slates.has_model else np.zeros(shown.shape)
    expected = slates.expected if slates.has_model else np.zeros(shown.shape)

    def summed(values: DoubleArray) -> DoubleArray:
        known = np.where(shown, values, 0.0)
        columns = [np.bincount(slates.shopper, column, minlength=n_shoppers) for column in known.T]
        return np.stack(columns, axis=1)

    return Sums(
        np.bincount(slates.shopper, minlength=n_shoppers).astype(np.float64),
        summed(np.ones(shown.shape)),
        summed(slates.reward),
        summed(here),
        summed(here * slates.reward),
        summed(here * (slates.reward - predicted)),
        summed(before * expected),
    )


def on_policy(sums: Sums) -> DoubleArray:
    """What the policy that logged earned, per ranking."""
    return _per_ranking(sums.reward, sums)


def ips(sums: Sums) -> DoubleArray:
    """Inverse propensity score: without bias, and as noisy as its weights."""
    return _per_ranking(sums.weighted_reward, sums)


def snips(sums: Sums) -> DoubleArray:
    """Self-normalised, place by place: a small bias for much less noise (Swaminathan, 2015)."""
    return _per_ranking(_normalised(sums.weighted_reward, sums), sums)


def dr(sums: Sums) -> DoubleArray:
    """Doubly robust: the reward model's value, corrected by what it missed (Dudik, 2014)."""
    return _per_ranking(sums.baseline + sums.weighted_rest, sums)


def sndr(sums: Sums) -> DoubleArray:
    """Doubly robust with a self-normalised correction."""
    return _per_ranking(sums.baseline + _normalised(sums.weighted_rest, sums), sums)


PLAIN: dict[str, Callable[[Sums], DoubleArray]] = {"ips": ips, "snips": snips}
WITH_MODEL: dict[str, Callable[[Sums], DoubleArray]] = {"dr": dr, "sndr": sndr}


def _per_ranking(by_place: DoubleArray, sums: Sums) -> DoubleArray:
    value: DoubleArray = by_place.sum(axis=-1) / sums.rankings
    return value


def _normalised(weighted: DoubleArray, sums: Sums) -> DoubleArray:
    """Divided by the mean weight of its place; a place without any weight says nothing: 0."""
    scale = np.divide(
        sums.places, sums.weight, out=np.zeros_like(sums.weight), where=sums.weight > 0
    )
    normalised: DoubleArray = weighted * scale
    return normalised
