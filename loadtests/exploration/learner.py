"""What the simulated shop learns of its items, and how it ranks by that.

The score is what the need says of an item plus its appeal, learnt in one of two ways:

- `popularity`: half the logarithm of its clicks, which fade by 5 % a day, as the simulated shop's
  own log is ranked. What is not shown gets no clicks, so a new item is held back.
- `click rate`: the logarithm of its clicks for each click that an item gets, on average, where it
  stood for such needs. Two clicks of prior pull what was hardly seen to the average, so a new item
  is neither favoured nor held back.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from features.arrays import DoubleArray, FloatArray, LongArray
from features.datasets.simulated.behaviour import FORGETTING
from features.datasets.simulated.truth import OFFSET, sigmoid

Ranker = Literal["popularity", "click rate"]
RANKERS: tuple[Ranker, ...] = ("popularity", "click rate")
_PRIOR_CLICKS = 2.0
_TYPICAL_LIKING = 0.3  # with it, clicks and what is expected agree on average
_FADING = 0.5 ** (1 / 30)  # of the counts that exploration looks at, a day


@dataclass(slots=True)
class Learner:
    """Counts over items (n,). clicks, expected: since the beginning; popularity, taken, passed:
    fading, of clicks, clicks, and examinations without."""

    ranker: Ranker
    clicks: DoubleArray
    expected: DoubleArray
    popularity: DoubleArray
    taken: DoubleArray
    passed: DoubleArray

    @staticmethod
    def new(ranker: Ranker, n_items: int) -> "Learner":
        """That has seen nothing."""
        return Learner(ranker, *(np.zeros(n_items) for _ in range(5)))

    def copy(self) -> "Learner":
        """Of the same knowledge."""
        counts = (self.clicks, self.expected, self.popularity, self.taken, self.passed)
        return Learner(self.ranker, *(count.copy() for count in counts))

    def appeal(self, items: LongArray) -> DoubleArray:
        """Of each, higher is better."""
        if self.ranker == "popularity":
            return 0.5 * np.log(self.popularity[items] + 0.3)
        clicks, expected = self.clicks[items], self.expected[items]
        return np.log((clicks + _PRIOR_CLICKS) / (expected + _PRIOR_CLICKS))

    def scores(self, items: LongArray, needed: DoubleArray) -> FloatArray:
        """Of the items for a need, higher is better."""
        return (needed + self.appeal(items)).astype(np.float32)

    def learn(
        self, items: LongArray, needed: DoubleArray, examined: DoubleArray, clicked: DoubleArray
    ) -> None:
        """What became of a slate; examined: P(examined | place), as a shop estimates it."""
        self.clicks[items] += clicked
        self.expected[items] += examined * sigmoid(needed + _TYPICAL_LIKING - OFFSET)
        self.popularity[items] += clicked
        self.taken[items] += clicked
        self.passed[items] += np.maximum(examined - clicked, 0.0)

    def fade(self) -> None:
        """A day is over."""
        self.popularity *= FORGETTING
        self.taken *= _FADING
        self.passed *= _FADING
