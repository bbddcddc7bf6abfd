"""What the shop wants: how much each thing that a shopper does is worth (docs/experiments.md).

Declared once, in `objective.yaml` beside the rules. Training labels and evaluation read it, as do
reports of experiments. The defaults are the weights that the ranker has always been trained with.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from features.events.event import BehaviorEvent, EventType
from features.yaml_file import read_yaml

_DAY_S = 86_400.0


class ObjectiveError(Exception):
    """The file cannot be used; the message names the place in it."""


class _Part(BaseModel):
    """Closed, so that a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LongView(_Part):
    """Time spent with an item."""

    weight: FiniteFloat = Field(0.0, ge=0)
    at_least_s: FiniteFloat = Field(30.0, gt=0, description="What is shorter is worth nothing.")


class Objective(_Part):
    """The whole file. Weights are in one unit of your own: what they are to each other matters.

    A purchase comes with about seven clicks, so with the defaults each kind of event carries a like
    share of the loss (docs/quality.md).
    """

    click: FiniteFloat = Field(1.0, ge=0)
    add_to_cart: FiniteFloat = Field(3.0, ge=0)
    purchase: FiniteFloat = Field(5.0, ge=0)
    purchase_by: Literal["count", "value"] = Field(
        "count", description="value: the weight is of each unit of money spent."
    )
    returned: FiniteFloat = Field(
        0.0, le=0, description="Taken off for a return: of each, or of each unit of money."
    )
    long_view: LongView = LongView()
    hide: FiniteFloat = Field(0.0, le=0)
    horizon_days: FiniteFloat | None = Field(
        None, gt=0, description="What happens later is not the ranking's doing; null: no end."
    )
    discount: FiniteFloat = Field(
        1.0, gt=0, le=1, description="What a day later is worth, of what is worth 1 at once."
    )

    def reward(self, event: BehaviorEvent, shown_s: float) -> float:
        """What `event` is worth to the ranking that showed its item at `shown_s`, unix seconds.

        0 for what the objective does not value, and beyond the horizon. Clocks differ: what seems
        to have happened before it was shown happened at once.
        """
        weight = self._weight(event)
        if weight == 0.0:
            return 0.0
        days = max(event.at_s - shown_s, 0.0) / _DAY_S
        if self.horizon_days is not None and days > self.horizon_days:
            return 0.0
        return weight * float(self.discount**days)

    def _weight(self, event: BehaviorEvent) -> float:
        money = 1.0 if self.purchase_by == "count" else event.value or 0.0
        if event.type is EventType.DWELL:
            long = (event.dwell_ms or 0) >= 1000 * self.long_view.at_least_s
            return self.long_view.weight if long else 0.0
        return {
            EventType.CLICK: self.click,
            EventType.ADD_TO_CART: self.add_to_cart,
            EventType.PURCHASE: self.purchase * money,
            EventType.RETURN: self.returned * money,
            EventType.HIDE: self.hide,
        }.get(event.type, 0.0)

    @property
    def label_weights(self) -> dict[str, float]:
        """The weights above 0 by kind of event, of a purchase as of one piece or unit of money."""
        weights = {
            EventType.CLICK: self.click,
            EventType.DWELL: self.long_view.weight,
            EventType.ADD_TO_CART: self.add_to_cart,
            EventType.PURCHASE: self.purchase,
        }
        return {str(kind): weight for kind, weight in weights.items() if weight > 0}


def label(rewards: Sequence[float]) -> float:
    """The label of an item for the rewards of its events: the best, less what was taken back.

    A purchase is not worth its click and its cart besides: they are one wish at three stages.
    """
    best = max((reward for reward in rewards if reward > 0), default=0.0)
    return max(best + sum(reward for reward in rewards if reward < 0), 0.0)


USUAL = Objective()  # where no file says otherwise


def read_objective(path: Path | None) -> Objective:
    """Read and check an objective; None means the defaults. Raises ObjectiveError."""
    return USUAL if path is None else read_yaml(path, Objective, ObjectiveError)
