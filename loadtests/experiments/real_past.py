"""What the past of real shoppers says of their future: how much CUPED saves on a shop's own log.

A/A on history: every 28 days a month's shoppers are "exposed" at their first event, and what they
did in the 14 days before is taken out of what they did until the month's end.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.datasets.event_rows import behavior_events
from features.datasets.format import Dataset
from features.objective import Objective
from loadtests.experiments.population import PAST_DAYS
from serving.experiments.report.metrics import REWARD, Metric
from serving.experiments.report.shoppers import DAY_S, shoppers
from serving.experiments.statistics.samples import adjusted

MONTH_DAYS = 28
REVENUE = Metric(name="revenue per shopper", column="revenue")


@dataclass(frozen=True, slots=True)
class Month:
    """One month of a log; `saved` by metric is the share of variance that the past explains."""

    shoppers: int
    with_past: float  # share
    saved: dict[str, float]  # of what is left when it is known how long ago a shopper came
    relative_deviation: dict[str, float]  # standard deviation by mean, between shoppers


def months(dataset: Dataset, objective: Objective, most: int = 6) -> list[Month]:
    """The last months of a log, newest first; raises ValueError when it is shorter than one.

    What comes later than its ranking is worth as much as what comes at once: a data set of others
    has no rankings.
    """
    events = dataset.events
    unit = events["user_id"].where(events["user_id"] != "", events["session_id"])
    table = pd.DataFrame(
        {
            "unit": unit, "at_s": events["at"].astype(np.float64),
            "reward": [objective.reward(event, event.at_s) for event in behavior_events(events)],
            "revenue": events["value"].fillna(0.0).where(events["type"] == "purchase", 0.0),
        }
    )  # fmt: skip
    table = table[table["unit"] != ""]
    first_s, end_s = float(table["at_s"].min()), float(table["at_s"].max())
    found: list[Month] = []
    while len(found) < most and end_s - (MONTH_DAYS + PAST_DAYS) * DAY_S >= first_s:
        found.append(_month(table, end_s))
        end_s -= MONTH_DAYS * DAY_S
    if not found:
        least = MONTH_DAYS + PAST_DAYS
        raise ValueError(f"{dataset.info.name}: the log is shorter than {least} days")
    return found


def _month(table: pd.DataFrame, end_s: float) -> Month:
    start_s = end_s - MONTH_DAYS * DAY_S
    near = table[(table["at_s"] > start_s - PAST_DAYS * DAY_S) & (table["at_s"] <= end_s)]
    within = near[near["at_s"] > start_s]
    first = within.groupby("unit", as_index=False)["at_s"].min()
    rng = np.random.default_rng(0)
    exposures = pd.DataFrame(
        {
            "unit": first["unit"], "first_exposed_s": first["at_s"],
            "arm": np.where(rng.random(len(first)) < 0.5, "a", "b"),
        }
    )  # fmt: skip
    told = shoppers(exposures, near, ["reward", "revenue"], end_s, PAST_DAYS).table
    arm = (told["arm"] == "a").to_numpy(bool)
    saved, deviation = {}, {}
    for metric in (REWARD, REVENUE):
        values = metric.values(told, [arm, ~arm])
        if values.any():
            known = metric.past(told)
            age = told["exposed_days"].to_numpy(np.float64)[:, None]
            every, by_age = (adjusted(values, [arm, ~arm], past).saved for past in (known, age))
            saved[metric.name] = 1 - (1 - every) / (1 - by_age)
            deviation[metric.name] = float(values.std(ddof=1) / values.mean())
    return Month(len(told), float(told["came_before"].mean()), saved, deviation)
