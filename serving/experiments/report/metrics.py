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
        capped: DoubleArray = np.minimum(sums, np.quantile(sums, self.cap))
        return capped


class GuardRail(BaseModel):
    """A metric that may not get worse by more than a bound."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Metric
    bound: float = Field(gt=0, le=1)  # relative: .02 = 2 % worse


def known_at_exposure(done: DoubleArray, exposed_days: DoubleArray) -> DoubleArray:
    """Covariates (n, 2 k + 1): what a shopper did before, (n, k), how long ago they were exposed,
    (n,), and the product, which is how much they should have done since if nothing had changed.

    A reading sums over shoppers of any age; no arm has a say in when a shopper came.
    """
    age = exposed_days[:, None]
    return np.concatenate([done, age, done * age], axis=1)


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
