"""What is measured of a shopper, and what may not get worse."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from features.arrays import BoolArray, DoubleArray
from serving.experiments.statistics.samples import linearised

BEFORE = "before_"  # of the columns that hold what a shopper did before exposure
FIRST = "first_"  # of those that hold what a shopper did in the first days after it


class Kind(StrEnum):
    """How a shopper's sums become the metric."""

    MEAN = "mean"  # of the sum, over shoppers
    SHARE = "share"  # of the shoppers with any
    RATIO = "ratio"  # of two sums over all shoppers, such as clicks by impressions


class Metric(BaseModel):
    """One metric; `column` and `per` are columns of the outcomes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    column: str
    kind: Kind = Kind.MEAN
    per: str | None = None  # the denominator of a ratio
    less_is_better: bool = False
    # A shopper's sum counts up to this quantile of those who did anything: a bot is not a trend.
    # Of all shoppers it could be zero, where few buy. None, 1: all of it counts.
    cap: float | None = Field(default=None, gt=0.5, le=1)

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the outcomes that it needs."""
        return (self.column,) if self.per is None else (self.column, self.per)

    def capped(self, cap: float | None) -> "Metric":
        """The same with another cap; raises pydantic.ValidationError for one that is none."""
        return Metric.model_validate({**self.model_dump(), "cap": cap})

    def at(self, placement: str) -> "Metric":
        """The same of what a placement earned: `column_at` of the outcomes."""
        return self.model_copy(update={"column": column_at(self.column, placement)})

    def values(self, shoppers: pd.DataFrame, arms: Sequence[BoolArray]) -> DoubleArray:
        """One value a shopper (n,), whose mean over an arm is the metric there.

        arms: a mask (n,) each.
        """
        sums = self._sums(shoppers, "")
        if self.kind is not Kind.RATIO:
            return sums
        denominator = shoppers[str(self.per)].to_numpy(np.float64)
        out: DoubleArray = np.full(len(sums), np.nan)
        for arm in arms:
            out[arm] = linearised(sums[arm], denominator[arm])
        return out

    def past(self, shoppers: pd.DataFrame) -> DoubleArray:
        """What was known of a shopper at exposure (n, k), whatever the arm; NaN: not known."""
        columns = [self._sums(shoppers, BEFORE)]
        if self.per is not None:
            columns.append(shoppers[BEFORE + self.per].to_numpy(np.float64))
        done = np.stack(columns, axis=1)
        done[~shoppers["came_before"].to_numpy(bool)] = np.nan
        return known_at_exposure(done, shoppers["exposed_days"].to_numpy(np.float64))

    def _sums(self, shoppers: pd.DataFrame, prefix: str) -> DoubleArray:
        sums = shoppers[prefix + self.column].to_numpy(np.float64)
        if self.kind is Kind.SHARE:
            return (sums > 0).astype(np.float64)
        if self.cap is None:
            return sums.copy()
        done = sums[sums > 0]
        if not len(done):
            return sums.copy()
        # "lower": of few shoppers, too, the largest counts no more than the next.
        capped: DoubleArray = np.minimum(sums, np.quantile(done, self.cap, method="lower"))
        return capped


class GuardRail(BaseModel):
    """A metric that may not get worse by more than a bound; what nobody notices is not worse."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Metric
    bound: float = Field(gt=0)  # relative: .02 = 2 % worse
    unnoticed: float = Field(default=0.0, ge=0)  # in what the metric is measured in

    def allowed(self, control: float | None) -> float:
        """How much worse than control's it may be, relative."""
        return max(self.bound, self.unnoticed / control) if control else self.bound


def known_at_exposure(done: DoubleArray, exposed_days: DoubleArray) -> DoubleArray:
    """Covariates (n, 2 k + 1): what a shopper did before, (n, k), how long ago they were exposed,
    (n,), and the product, which is how much they should have done since if nothing had changed.

    A reading sums over shoppers of any age; no arm has a say in when a shopper came.
    """
    age = exposed_days[:, None]
    return np.concatenate([done, age, done * age], axis=1)


def column_at(column: str, placement: str) -> str:
    """The column of the outcomes that has only what shoppers did with what a placement showed."""
    return f"{column} at {placement}"


REWARD = Metric(name="reward per shopper", column="reward")
CAP = 0.99  # of the deciding metric: loadtests/experiments/worlds/bots.py measured it
STANDARD = (
    Metric(name="revenue per shopper", column="revenue"),
    Metric(name="click-through rate", column="clicks", kind=Kind.RATIO, per="impressions"),
    Metric(name="conversion rate", column="purchases", kind=Kind.SHARE),
    Metric(name="impressions per shopper", column="impressions"),
)
RETURNS = GuardRail(
    metric=Metric(name="returns per shopper", column="returns", less_is_better=True), bound=0.1
)
