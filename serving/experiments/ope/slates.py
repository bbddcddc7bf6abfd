"""Logged slates as arrays: what was shown, what it earned, how likely it was under two policies."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from features.arrays import BoolArray, DoubleArray, LongArray


class OpeRefusedError(ValueError):
    """The log cannot say what the policy would have earned; one line that says why."""


class Propensities(StrEnum):
    """What the propensity of a place is the probability of."""

    MARGINAL = "marginal"  # that the policy puts this item there
    CONDITIONAL = "conditional"  # that it does, given the items before: their product is the slate


@dataclass(frozen=True, slots=True, eq=False)
class LoggedSlates:
    """n rankings of up to K places; all arrays are (n, K) where nothing else is said.

    Where `shown` is False a ranking has no such place, and the other arrays do not count there.
    Raises ValueError, which names the field.
    """

    shopper: LongArray  # (n,), numbered from 0: the unit of intervals
    shown: BoolArray
    reward: DoubleArray
    logged: DoubleArray  # propensities of what was shown, under the policy that logged
    target: DoubleArray  # and under the policy to be evaluated
    kind: Propensities
    # A reward model's, for doubly robust estimates: of what was shown, and the mean over what the
    # target would show there (given the items before, where propensities are conditional).
    predicted: DoubleArray = field(default_factory=lambda: np.zeros((0, 0)))
    expected: DoubleArray = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        shape = self.shown.shape
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"shown: (n, K) with a ranking and a place, not {shape}")
        if self.shopper.shape != shape[:1] or (self.shopper < 0).any():
            raise ValueError(f"shopper: {shape[0]} numbers from 0 are needed")
        named = [("reward", self.reward), ("logged", self.logged), ("target", self.target)]
        if self.has_model:
            named += [("predicted", self.predicted), ("expected", self.expected)]
        for name, array in named:
            if array.shape != shape:
                raise ValueError(f"{name}: {array.shape} is not {shape}")
            if not np.isfinite(array[self.shown]).all():
                raise ValueError(f"{name}: a value is not a number")
        if not ((self.logged > 0) & (self.logged <= 1))[self.shown].all():
            raise ValueError("logged: what was shown had a propensity above 0 and up to 1")
        if not ((self.target >= 0) & (self.target <= 1))[self.shown].all():
            raise ValueError("target: a propensity is not between 0 and 1")

    @property
    def has_model(self) -> bool:
        """Is there a reward model's opinion?"""
        return self.predicted.size > 0

    def cut(self, depth: int) -> "LoggedSlates":
        """The first `depth` places alone: their propensities do not depend on those behind."""
        return replace(
            self,
            shown=self.shown[:, :depth],
            reward=self.reward[:, :depth],
            logged=self.logged[:, :depth],
            target=self.target[:, :depth],
            predicted=self.predicted[:, :depth],
            expected=self.expected[:, :depth],
        )
