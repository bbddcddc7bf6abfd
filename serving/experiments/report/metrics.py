"""What is measured of a shopper, and what may not get worse."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from features.arrays import BoolArray, DoubleArray
from serving.experiments.statistics.samples import linearised

BEFORE = "before_"  # of the columns that hold what a shopper did before exposure


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
    # A shopper's sum counts up to this quantile of all shoppers': a bot is not a trend.
    cap: float | None = Field(default=None, gt=0.5, le=1)

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the outcomes that it needs."""
        return (self.column,) if self.per is None else (self.column, self.per)

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
        """What a shopper did before exposure (n, k); NaN for one who had not come yet."""
        columns = [self._sums(shoppers, BEFORE)]
        if self.per is not None:
            columns.append(shoppers[BEFORE + self.per].to_numpy(np.float64))
        past = np.stack(columns, axis=1)
        past[~shoppers["came_before"].to_numpy(bool)] = np.nan
        return past

    def _sums(self, shoppers: pd.DataFrame, prefix: str) -> DoubleArray:
        sums = shoppers[prefix + self.column].to_numpy(np.float64)
        if self.kind is Kind.SHARE:
            return (sums > 0).astype(np.float64)
        if self.cap is None:
            return sums.copy()
        capped: DoubleArray = np.minimum(sums, np.quantile(sums, self.cap))
        return capped


class GuardRail(BaseModel):
    """A metric that may not get worse by more than a bound."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Metric
    bound: float = Field(gt=0, le=1)  # relative: .02 = 2 % worse


REWARD = Metric(name="reward per shopper", column="reward")
STANDARD = (
    Metric(name="revenue per shopper", column="revenue"),
    Metric(name="click-through rate", column="clicks", kind=Kind.RATIO, per="impressions"),
    Metric(name="conversion rate", column="purchases", kind=Kind.SHARE),
    Metric(name="impressions per shopper", column="impressions"),
)
RETURNS = GuardRail(
    metric=Metric(name="returns per shopper", column="returns", less_is_better=True), bound=0.1
)
