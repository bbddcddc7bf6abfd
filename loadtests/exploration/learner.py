"""What the simulated shop learns of its items, and how it ranks by that.

The score is what the need says of an item plus the logarithm of its appeal: clicks that it got for
each click that an item of its kind gets where it stood, on average. Two clicks of prior pull the
appeal of what was hardly seen to the average. So a new item is neither favoured nor held back.
"""

from dataclasses import dataclass, field

import numpy as np

from features.arrays import DoubleArray, FloatArray, LongArray
from features.datasets.simulated.truth import OFFSET, sigmoid

_PRIOR_CLICKS = 2.0
_TYPICAL_LIKING = 0.3  # with it, clicks and what is expected agree on average
_FADING = 0.5 ** (1 / 30)  # of the counts that exploration looks at, a day


@dataclass(slots=True)
class Learner:
    """Counts over items (n,). clicks, expected: since the beginning; taken, passed: fading."""

    clicks: DoubleArray
    expected: DoubleArray
    taken: DoubleArray = field(init=False)
    passed: DoubleArray = field(init=False)

    def __post_init__(self) -> None:
        self.taken, self.passed = np.zeros_like(self.clicks), np.zeros_like(self.clicks)

    @staticmethod
    def new(n_items: int) -> "Learner":
        """That has seen nothing."""
        return Learner(np.zeros(n_items), np.zeros(n_items))

    def copy(self) -> "Learner":
        """Of the same knowledge."""
        copied = Learner(self.clicks.copy(), self.expected.copy())
        copied.taken, copied.passed = self.taken.copy(), self.passed.copy()
        return copied

    def appeal(self, items: LongArray) -> DoubleArray:
        """Logarithm; 0 is the average."""
        return np.log((self.clicks[items] + _PRIOR_CLICKS) / (self.expected[items] + _PRIOR_CLICKS))

    def scores(self, items: LongArray, needed: DoubleArray) -> FloatArray:
        """Of the items for a need, higher is better."""
        return (needed + self.appeal(items)).astype(np.float32)

    def learn(
        self, items: LongArray, needed: DoubleArray, examined: DoubleArray, clicked: DoubleArray
    ) -> None:
        """What became of a slate; examined: P(examined | place), as a shop estimates it."""
        self.clicks[items] += clicked
        self.expected[items] += examined * sigmoid(needed + _TYPICAL_LIKING - OFFSET)
        self.taken[items] += clicked
        self.passed[items] += np.maximum(examined - clicked, 0.0)

    def fade(self) -> None:
        """A day is over."""
        self.taken *= _FADING
        self.passed *= _FADING
