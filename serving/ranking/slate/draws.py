"""Plackett-Luce draws within the shop's rules, and how likely an order is to be drawn.

At each drawn place the policy takes one of the best items left that may stand there
(places.py), with a probability proportional to exp(score / temperature). What may stand at a place
depends on the places before, so every place is a draw of its own: one set of Gumbel noise, sorted,
would favour an item that the rules held back once (docs/adr/0035).
Sources: Plackett, 1975; Luce, 1959; Oosterhuis, 2021 (arXiv 2105.00855) for ranking policies.
"""

from collections.abc import Callable
from math import exp

import numpy as np

from features.arrays import DoubleArray, FloatArray
from serving.ranking.slate.moves import Order
from serving.ranking.slate.places import Frame, Places
from serving.shops.exploration import Sampling

_FAINTEST, _FAINT = -700.0, 1e-100  # logarithm of a weight, and a weight

_Choose = Callable[[int, list[int], list[float]], int | None]  # the n-th, of these, by weights


class Draws:
    """Of one request. scores: (n,) what candidates are ordered by."""

    def __init__(self, frame: Frame, scores: FloatArray | DoubleArray, rule: Sampling) -> None:
        self._frame, self._rule = frame, rule
        spread = (float(scores.std()) if len(scores) else 0.0) or 1.0
        logits = scores.astype(np.float64) / (rule.temperature * spread)
        self._logits: list[float] = logits.tolist()
        highest = logits.max(initial=-np.inf)
        self._weights: list[float] = np.exp(np.maximum(logits - highest, _FAINTEST)).tolist()

    @property
    def size(self) -> int:
        """How many items are ordered."""
        return len(self._frame.ranked)

    def draw(self, rng: np.random.Generator) -> tuple[Order, DoubleArray]:
        """An order of the frame's items and the probability of each place, given those before."""
        lots = rng.random(len(self._frame.ranked)).tolist()

        def choose(number: int, options: list[int], weights: list[float]) -> int:
            lot = lots[number] * sum(weights)
            for index, weight in zip(options, weights, strict=True):
                lot -= weight
                if lot < 0:
                    return index
            return options[0]  # rounding: the lot was the whole

        return self._walk(choose)

    def chance(self, order: Order) -> DoubleArray:
        """The probability that each place of `order` is filled so, given those before.

        0 from the first place on that a draw would never fill so.
        """
        wanted: list[int] = order.tolist()

        def choose(number: int, options: list[int], _: list[float]) -> int | None:
            return wanted[number] if wanted[number] in options else None

        walked, chance = self._walk(choose)
        chance[np.logical_or.accumulate(walked != order)] = 0.0
        return chance

    def _walk(self, choose: _Choose) -> tuple[Order, DoubleArray]:
        """Ends early, with chances of 0, where `choose` takes none."""
        rule, places, left = self._rule, Places(self._frame), self._frame.ranked.copy()
        end = rule.first - 1 + rule.places
        chance = np.ones(len(left))
        placed: list[int] = []
        while left and places.next < max(self._frame.diversity.depth, end):
            drawn = rule.first - 1 <= places.next < end
            options = places.allowed(left, rule.among if drawn else 1)
            weights = [self._weights[index] for index in options]
            if weights[0] < _FAINT:  # the best of all are gone
                weights = self._anew(options)
            index = choose(len(placed), options, weights)
            if index is None:
                chance[len(placed) :] = 0.0
                break
            chance[len(placed)] = weights[options.index(index)] / sum(weights)
            left.remove(index)
            places.put(index)
            placed.append(index)
        return np.array(placed + left, np.int64), chance

    def _anew(self, options: list[int]) -> list[float]:
        """Weights against the best of these: an exponential holds no more than 300 digits."""
        highest = max(self._logits[index] for index in options)
        return [exp(self._logits[index] - highest) for index in options]
