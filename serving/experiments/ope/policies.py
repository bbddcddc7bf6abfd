"""Target policies over the items of a logged ranking: by score, sampled or not.

Plackett-Luce: place by place, an item is drawn from those left with probability proportional to
exp(score / temperature). Temperature 0 is the order by score.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.arrays import BoolArray, DoubleArray

SAMPLES = 500


class Chances(NamedTuple):
    """Of the target policy, (n, K): propensity of what was shown, mean value of what it shows."""

    propensity: DoubleArray
    expected: DoubleArray


@dataclass(frozen=True, slots=True)
class PlackettLuce:
    """A policy of this temperature, in units of the scores."""

    temperature: float

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature: {self.temperature} is not a number from 0")

    def conditional(
        self, scores: DoubleArray, shown: BoolArray, fixed: BoolArray, values: DoubleArray
    ) -> Chances:
        """Given the items before. All arrays are (n, K), in the order that was shown.

        fixed: places at which nothing was left to chance; the target keeps their items. values: of
        an item, whatever its place.
        """
        propensity, expected = np.ones(shown.shape), values.copy()
        # An item at such a place between sampled ones was put there and could not be drawn. Behind
        # the last sampled place stand those that were not drawn.
        sampled = shown & ~fixed
        apart = fixed & (np.cumsum(sampled[:, ::-1], axis=1)[:, ::-1] > 0)
        for place in range(shown.shape[1]):
            free = sampled[:, place]
            if not free.any():
                continue
            left = shown[free, place:] & ~apart[free, place:]
            chance = self._chances(scores[free, place:], left)
            propensity[free, place] = chance[:, 0]
            expected[free, place] = (chance * np.where(left, values[free, place:], 0.0)).sum(axis=1)
        return Chances(propensity, expected)

    def marginal(
        self,
        scores: DoubleArray,
        shown: BoolArray,
        fixed: BoolArray,
        values: DoubleArray,
        rng: np.random.Generator,
        samples: int = SAMPLES,
    ) -> Chances:
        """Whatever stands before, as counted in `samples` draws of each ranking."""
        free = shown & ~fixed
        hits, total = np.zeros(shown.shape), np.zeros(shown.shape)
        # The free places of a ranking, and how many: the drawn order fills them in turn.
        number = np.cumsum(free, axis=1) - 1
        for _ in range(samples if self.temperature > 0 else 1):
            # Sorting by score plus Gumbel noise is a draw of Plackett-Luce (Yellott, 1977).
            noise = self.temperature * rng.gumbel(size=shown.shape)
            keys = np.where(free, -(scores + noise), np.inf)
            order = np.argsort(keys, axis=1, kind="stable")
            item = np.take_along_axis(order, np.maximum(number, 0), axis=1)
            hits += item == np.arange(shown.shape[1])
            total += np.take_along_axis(values, item, axis=1)
        rounds = samples if self.temperature > 0 else 1
        return Chances(np.where(free, hits / rounds, 1.0), np.where(free, total / rounds, values))

    def _chances(self, scores: DoubleArray, left: BoolArray) -> DoubleArray:
        """Of each item that is left, (n, k); the scores that tie for the best share at 0."""
        known = np.where(left, scores, -np.inf)
        best = known.max(axis=1, keepdims=True)
        if self.temperature == 0:
            odds = (known == best).astype(np.float64)
        else:
            odds = np.exp((known - best) / self.temperature)
        chances: DoubleArray = odds / odds.sum(axis=1, keepdims=True)
        return chances
