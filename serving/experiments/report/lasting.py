"""Does a lift last? What shoppers did in their first days against what the same ones did later.

What is new is looked at because it is new, and a change may hurt until shoppers are used to it. In
an experiment most exposures are young, so the lift of all days says little of the one that stays.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from features.arrays import BoolArray, DoubleArray
from serving.experiments.report.metrics import FIRST, Metric
from serving.experiments.report.plan import Plan
from serving.experiments.report.result import Lasting
from serving.experiments.statistics.samples import adjusted, sample_of
from serving.experiments.statistics.sequence import LEAST_SHOPPERS, boundary


class Parts(NamedTuple):
    """Two tables of the same shoppers, exposed longer than `first_days`: their days until then and
    the days since. Both have the columns of `report.shoppers`."""

    first: pd.DataFrame
    later: pd.DataFrame


def parts(table: pd.DataFrame, columns: Sequence[str], first_days: float) -> Parts:
    """`table`: of `report.shoppers`, read with `first_days`."""
    old = table[table["exposed_days"] > first_days].reset_index(drop=True)
    first = old.assign(**{name: old[FIRST + name] for name in columns})
    return Parts(first, old.assign(**{name: old[name] - old[FIRST + name] for name in columns}))


def lasting(plan: Plan, alpha: float, of: Parts) -> Lasting | None:
    """How the deciding metric's lift of the later days stands to that of the first, control and one
    arm; None where an arm has too few such shoppers or nothing in either part.

    A shopper's value is a linearised log(later mean / first mean), so what the shopper does in both
    parts alike has no part in the error; what is known at exposure is taken out (CUPED).
    """
    control: BoolArray = (of.first["arm"] == plan.control).to_numpy(bool)
    masks = (control, ~control)
    sizes = (int(control.sum()), int((~control).sum()))
    if min(sizes) < LEAST_SHOPPERS:
        return None
    values = _log_ratio(plan.deciding, of, masks)
    if values is None:
        return None
    rest = adjusted(values, masks, plan.deciding.past(of.first)).values
    one, other = (sample_of(rest[mask]) for mask in masks)
    error = float(np.sqrt(one.variance / one.n + other.variance / other.n))
    if error == 0:
        return None
    reach = float(boundary(one.n + other.n, alpha, plan.looks, plan.tuned_to)) * error
    change = float(other.mean - one.mean)
    finding: Literal["falls", "rises", "open"] = "open"
    if change + reach < 0:
        finding = "falls"
    elif change - reach > 0:
        finding = "rises"
    return Lasting(
        first_days=plan.first_days, shoppers=sizes, change=float(np.expm1(change)),
        low=float(np.expm1(change - reach)), high=float(np.expm1(change + reach)), finding=finding,
    )  # fmt: skip


def _log_ratio(metric: Metric, of: Parts, masks: Sequence[BoolArray]) -> DoubleArray | None:
    """Values (n,) whose mean over an arm is log(mean later / mean first) there: delta method."""
    first, later = (metric.values(part, masks) for part in of)
    out: DoubleArray = np.empty(len(first))
    for mask in masks:
        means = first[mask].mean(), later[mask].mean()
        if not min(means) > 0:  # NaN as well
            return None
        out[mask] = np.log(means[1] / means[0]) + later[mask] / means[1] - first[mask] / means[0]
    return out
