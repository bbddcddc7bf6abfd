"""What the answers of simulated shoppers are worth, by the objective that shops declare."""

from typing import NamedTuple

import numpy as np

from features.arrays import BoolArray, DoubleArray, LongArray
from features.datasets.simulated.behaviour import RETURN_DAYS
from features.datasets.simulated.shoppers import DAY_S
from features.events.event import BehaviorEvent, EventType
from features.objective import Objective

_DAYS = np.linspace(*RETURN_DAYS, 25)  # a return comes as likely on any


class Answers(NamedTuple):
    """To items that are examined: arrays of one shape, either chances or what happened.

    Each is given the one that it follows: click; long_view and cart, of a click; sold, of a cart;
    back, of what was sold.
    """

    click: DoubleArray | BoolArray
    long_view: DoubleArray | BoolArray
    cart: DoubleArray | BoolArray
    sold: DoubleArray | BoolArray
    back: DoubleArray | BoolArray


class Worth:
    """Of answers. Simulated shoppers act within the session, but for returns, and hide nothing.

    prices: of the items, (n_items,)
    """

    def __init__(self, objective: Objective, prices: DoubleArray) -> None:
        def reward(kind: EventType, days: float = 0.0) -> float:
            dwell_ms = int(np.ceil(1000 * objective.long_view.at_least_s))
            event = BehaviorEvent("", kind, days * DAY_S, value=1.0, dwell_ms=dwell_ms)
            return objective.reward(event, 0.0)

        self.long_view_s = objective.long_view.at_least_s
        self._click, self._long_view = reward(EventType.CLICK), reward(EventType.DWELL)
        self._cart, self._purchase = reward(EventType.ADD_TO_CART), reward(EventType.PURCHASE)
        self._return = float(np.mean([reward(EventType.RETURN, days) for days in _DAYS]))
        by_value = objective.purchase_by == "value"
        self._money = prices if by_value else np.ones(len(prices))

    def of(self, answers: Answers, items: LongArray) -> DoubleArray:
        """To `items`, of the shape of the answers: the mean of chances, or the sum of what was."""
        kept = self._purchase + answers.back * self._return
        sold = answers.sold * self._money[items] * kept
        clicked = self._click + answers.long_view * self._long_view
        worth: DoubleArray = answers.click * (clicked + answers.cart * (self._cart + sold))
        return worth
