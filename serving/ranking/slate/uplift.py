"""One item that was hardly ever seen moves up to one place."""

import numpy as np

from features.arrays import BoolArray, DoubleArray, FloatArray, RowArray
from features.behavior.matrix import COLUMN
from serving.ranking.slate.moves import Order
from serving.ranking.slate.thompson import MOST, Interest, chance_to_win
from serving.ranking.values import FeatureMatrix
from serving.shops.exploration import Exploration

_TAKEN = COLUMN["item_interest_30d"]  # log1p, with the half-life of `exposure`


class Uplift:
    """Of one request. order: as it is without; slot: the place, from 0; chosen: places behind the
    slot, whose items may move; chance: of each of these, over all rankings."""

    def __init__(self, order: Order, slot: int, chosen: Order, chance: DoubleArray) -> None:
        self._order, self._slot = order, slot
        self._chosen, self._chance = chosen, chance

    @staticmethod
    def of(
        order: Order, slot: int, explorable: BoolArray, rule: Exploration, features: FeatureMatrix
    ) -> "Uplift":
        """explorable: (n,) by place of `order`. Evenly, or by the chance to beat what is there."""
        places = np.flatnonzero(explorable & (np.arange(len(order)) > slot))
        if rule.share == 0 or len(places) == 0:
            return Uplift(order, slot, places[:0], np.zeros(0))
        if rule.choice == "evenly":
            return Uplift(order, slot, places, np.full(len(places), rule.share / len(places)))
        places = places[:MOST]
        new = _interest(features, order[places])
        incumbent = _interest(features, order[slot : slot + 1])
        return Uplift(order, slot, places, rule.share * chance_to_win(new, incumbent, rule.epsilon))

    def draw(self, rng: np.random.Generator) -> tuple[Order, int | None]:
        """An order, and the item that moved."""
        if len(self._chosen) == 0:
            return self._order, None
        lot = rng.random()
        number = int(np.searchsorted(np.cumsum(self._chance), lot, side="right"))
        if number == len(self._chosen):
            return self._order, None
        return self._moved(int(self._chosen[number])), int(self._order[self._chosen[number]])

    def chance(self, order: Order) -> DoubleArray:
        """The probability that each place of `order` is filled so, given those before (n,)."""
        chance = np.ones(len(order))
        if len(self._chosen) == 0:
            expected = self._order
        else:
            movable = self._order[self._chosen]
            number = np.flatnonzero(movable == order[self._slot])
            expected = self._moved(int(self._chosen[number[0]])) if len(number) else self._order
            chance[self._slot] = (
                self._chance[number[0]] if len(number) else 1.0 - self._chance.sum()
            )
        chance[np.logical_or.accumulate(order != expected)] = 0.0
        return chance

    def _moved(self, place: int) -> Order:
        return np.insert(np.delete(self._order, place), self._slot, self._order[place])


def _interest(features: FeatureMatrix, rows: RowArray) -> Interest:
    """Of some candidates; nothing of one that is not in the catalogue."""
    taken: FloatArray = np.nan_to_num(np.expm1(features.values[rows, _TAKEN]))
    exposure = np.where(np.isfinite(features.exposure[rows]), features.exposure[rows], taken)
    return Interest(taken.astype(np.float64), np.maximum(exposure - taken, 0.0).astype(np.float64))
