"""Simulated shoppers as the two tables that a reading begins with: exposures and outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.arrays import DoubleArray, LongArray
from loadtests.experiments.population import Population, reward, shoppers
from serving.experiments.report.metrics import CAP, REWARD
from serving.experiments.report.plan import Data, Plan
from serving.experiments.report.shoppers import DAY_S

CONTROL, TREATMENT = "control", "treatment"
WEIGHTS: Mapping[str, float] = {CONTROL: 0.5, TREATMENT: 0.5}
# As declared experiments are read, without what would but hold a verdict up.
PLAN = Plan(
    "simulated", CONTROL, WEIGHTS, deciding=REWARD.capped(CAP), others=(), guard_rails=(),
    by_day=False,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bots:
    """Programs among the shoppers, drawn into arms as these are; no treatment moves them.

    Half click all days from the exposure on, half on one day, as much as they can. What one bot
    clicks is lognormal around the median.
    """

    share: float = 0.0  # of all shoppers
    daily: float = 100.0  # median clicks a day
    burst: float = 2_000.0  # median clicks of the one day
    spread: float = 1.0  # standard deviation of the logarithm


def tables(
    population: Population,
    n: int,
    lift: DoubleArray,
    rng: np.random.Generator,
    bots: Bots | None = None,
) -> Data:
    """`n` shoppers who come within as many days as `lift` (days,) has: how much more treatment's do
    on their first, second, ... day after exposure. Time begins at 0 s."""
    days = len(lift)
    of = shoppers(population, (1, n), days, rng)
    arm, rate, past = of.arm[0], of.rate[0], of.past[0]
    at = of.day[0] + rng.random(n)
    done = reward(population, rate[:, None] * (1 + lift * arm[:, None]), rng)
    for bot in rng.choice(n, rng.binomial(n, bots.share), replace=False) if bots else ():
        _click(bots or Bots(), done[bot], rng)
    row, day = np.nonzero(done)
    before = np.flatnonzero(past > 0)  # whom the shop has an event of
    exposures = {"unit": np.arange(n), "arm": np.where(arm, TREATMENT, CONTROL),
                 "first_exposed_s": at * DAY_S}  # fmt: skip
    outcomes = {
        "unit": np.concatenate([row, before]),
        "at_s": np.concatenate([at[row] + day + 0.5, at[before] - 1.0]) * DAY_S,
        "reward": np.concatenate([done[row, day], past[before]]),
    }
    return Data(pd.DataFrame(exposures), pd.DataFrame(outcomes))


def looks_s(days: LongArray) -> list[float]:
    """Unix seconds of looks at the end of so many days."""
    return [float(day) * DAY_S for day in days]


def _click(bots: Bots, done: DoubleArray, rng: np.random.Generator) -> None:
    """Adds to one row's days, (days,)."""
    grown = np.exp(rng.normal(0.0, bots.spread))
    if rng.random() < 0.5:
        done += rng.poisson(bots.daily * grown, len(done))
    else:
        done[0] += rng.poisson(bots.burst * grown)
