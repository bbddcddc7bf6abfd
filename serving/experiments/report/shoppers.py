"""Exposures and outcomes as one row a shopper: the unit of every comparison.

Exposures: `unit` (a pseudonym), `arm`, `first_exposed_s`, and columns to take segments from.
Outcomes: `unit`, `at_s`, and sums by column (reward, revenue, clicks, ...), one row an event or any
number of them together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.arrays import DoubleArray, LongArray
from serving.experiments.report.metrics import BEFORE, FIRST

DAY_S = 86_400.0
PAST_DAYS = 14
_EXPOSURE = ("unit", "arm", "first_exposed_s")


class ExperimentDataError(ValueError):
    """The tables cannot be read; one line that names table and column."""


@dataclass(frozen=True, slots=True)
class Shoppers:
    """`table`: one row a shopper; columns of the exposures, sums after exposure under their names,
    sums of the days before it under BEFORE + name, `came_before` and `exposed_days`; where first
    days are asked for, their sums under FIRST + name.

    in_two_arms: shoppers who were exposed to several arms; they are of neither and left out.
    """

    table: pd.DataFrame
    in_two_arms: int


def one_arm_each(exposures: pd.DataFrame, until_s: float) -> tuple[pd.DataFrame, int]:
    """The first exposure of each shopper until then, and how many were in several arms."""
    _check(exposures, "exposures", _EXPOSURE)
    seen = exposures[exposures["first_exposed_s"] <= until_s]
    arms = seen.groupby("unit")["arm"].nunique()
    torn = arms.index[arms > 1]
    kept = seen[~seen["unit"].isin(torn)].sort_values("first_exposed_s", kind="stable")
    return kept.drop_duplicates("unit").reset_index(drop=True), len(torn)


def shoppers(
    exposures: pd.DataFrame,
    outcomes: pd.DataFrame,
    columns: Sequence[str],
    until_s: float,
    past_days: float = PAST_DAYS,
    first_days: float | None = None,
) -> Shoppers:
    """One row a shopper, with what happened until `until_s`; raises ExperimentDataError.

    first_days: after a shopper's exposure, which are summed for themselves as well.
    """
    columns = list(dict.fromkeys(columns))
    _check(outcomes, "outcomes", ("unit", "at_s", *columns))
    table, torn = one_arm_each(exposures, until_s)
    exposed = pd.Series(table["first_exposed_s"].to_numpy(), index=table["unit"])
    since_s = outcomes["at_s"].to_numpy(np.float64) - outcomes["unit"].map(exposed).to_numpy()
    happened = outcomes["at_s"].to_numpy(np.float64) <= until_s
    after = (since_s >= 0) & happened
    before = (since_s < 0) & (since_s >= -past_days * DAY_S)
    later = outcomes.loc[after].groupby("unit")[columns].sum()
    earlier = outcomes.loc[before].groupby("unit")[columns].sum().add_prefix(BEFORE)
    table = table.drop(columns=columns, errors="ignore").join(later, on="unit")
    table = table.join(earlier, on="unit")
    table["exposed_days"] = (until_s - table["first_exposed_s"]) / DAY_S
    table["came_before"] = table["unit"].isin(earlier.index)
    sums = [*columns, *(BEFORE + column for column in columns)]
    if first_days is not None:
        first = outcomes.loc[after & (since_s < first_days * DAY_S)].groupby("unit")[columns].sum()
        table = table.join(first.add_prefix(FIRST), on="unit")
        sums += [FIRST + column for column in columns]
    table[sums] = table[sums].astype(np.float64).fillna(0.0)
    return Shoppers(table, torn)


def counts_by_day(table: pd.DataFrame, arms: Sequence[str], until_s: float) -> LongArray:
    """Shoppers exposed so far at the end of each day since the first, (days, arms)."""
    ends = day_ends(table, until_s)
    times = table["first_exposed_s"].to_numpy(np.float64)
    of = table["arm"].to_numpy()
    counts = [np.searchsorted(np.sort(times[of == arm]), ends, side="right") for arm in arms]
    return np.stack(counts, axis=1).astype(np.int64)


def day_ends(table: pd.DataFrame, until_s: float) -> DoubleArray:
    """Unix seconds one, two, ... days after the first exposure, the last one being `until_s`."""
    if table.empty:
        raise ExperimentDataError("exposures: nobody was exposed yet")
    first_s = float(table["first_exposed_s"].min())
    ends = np.arange(first_s + DAY_S, until_s, DAY_S)
    return np.append(ends, until_s)


def _check(table: pd.DataFrame, name: str, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in table:
            raise ExperimentDataError(f"{name}: column {column!r} is missing")
        values = table[column]
        if values.empty:
            continue  # and has no type either
        if values.isna().any():
            row = int(np.flatnonzero(values.isna().to_numpy())[0])
            raise ExperimentDataError(f"{name}: column {column!r}, row {row}: no value")
        if column not in ("unit", "arm") and not pd.api.types.is_numeric_dtype(values):
            raise ExperimentDataError(f"{name}: column {column!r} holds no numbers")
        if column not in ("unit", "arm") and not np.isfinite(values.to_numpy(np.float64)).all():
            raise ExperimentDataError(f"{name}: column {column!r} holds a number without end")
