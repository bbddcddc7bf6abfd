"""Programs among the shoppers: what they do to false alarms and to power, and what a cap undoes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console

from features.arrays import DoubleArray, LongArray
from features.telemetry.progress import tracked
from loadtests.experiments.bars import Bar, at_least, at_most
from loadtests.experiments.proofs import LIFT, Proved, Size
from loadtests.experiments.worlds.tables import PLAN, Bots, looks_s, tables
from serving.experiments.report.arms import ArmReader
from serving.experiments.report.metrics import CAP, REWARD
from serving.experiments.report.result import EVERYBODY, Finding
from serving.experiments.report.shoppers import shoppers
from serving.experiments.statistics.planner import Question, plan
from serving.experiments.statistics.samples import adjusted

FEW, MANY = 0.0005, 0.002  # of the shoppers
CAPS = {"as it is": None, ".999": 0.999, ".99": CAP}
_CAPPED = ".99"  # as declared experiments are read
_PILOT = 200_000  # shoppers of the history that an experiment is planned from


class Planned(NamedTuple):
    """Shoppers that are needed, and the lift that the metric sees."""

    shoppers: int
    lift: float


@dataclass(slots=True)
class Told:
    """Of so many experiments, in how many any look found something, and the last look's lift."""

    runs: int
    better: int = 0
    worse: int = 0
    lift: float = 0.0  # mean
    width: float = 0.0  # mean width of the interval

    def add(self, findings: set[Finding], lift: float, width: float) -> None:
        """One experiment."""
        self.better += "better" in findings
        self.worse += "worse" in findings
        self.lift += lift / self.runs
        self.width += width / self.runs


def bots(size: Size, seed: int, console: Console) -> Proved:
    """A/A read daily, and a planted lift at the planned size, with and without bots and cap."""
    rng = np.random.default_rng(seed)
    needed = planned(size, rng)
    n, few = needed[_CAPPED].shoppers, size.false_alarm_shoppers
    daily, last = np.arange(1, size.days + 1), np.array([size.days])
    alarms: dict[str, dict[str, Told]] = {}
    power: dict[str, dict[str, Told]] = {}
    for name, share in (("no bots", 0.0), (f"{FEW:.2%} bots", FEW), (f"{MANY:.2%} bots", MANY)):
        there = Bots(share)
        alarms[name] = experiments(size, few, 0.0, daily, there, rng, f"A/A, {name}", console)
        power[name] = experiments(size, n, LIFT, last, there, rng, f"{LIFT:+.0%}, {name}", console)
    runs = size.read
    bars: list[Bar] = []
    for name in [*alarms][:2]:
        told, plain = alarms[name][_CAPPED], alarms[name]["as it is"]
        note = f"{few:,} shoppers, {size.days} daily looks; not capped {_alarms(plain) / runs:.1%}"
        bars.append(at_most(f"{name}, capped: false alarms", _alarms(told), runs, 0.05, note))
        told, plain = power[name][_CAPPED], power[name]["as it is"]
        note = f"{n:,} shoppers as planned; not capped {plain.better / runs:.0%}"
        # Planned for .8, which so few runs know within six hundredths.
        bars.append(at_least(f"{name}, capped: power", told.better, runs, 0.75, note))
    return Proved(bars, {
        "planned": {how: each._asdict() for how, each in needed.items()},
        "false_alarms": {name: _plain(by_cap) for name, by_cap in alarms.items()},
        "power": {name: _plain(by_cap) for name, by_cap in power.items()},
    })  # fmt: skip


def experiments(
    size: Size, n: int, lift: float, looks: LongArray, there: Bots, rng: np.random.Generator,
    name: str, console: Console,
) -> dict[str, Told]:  # fmt: skip
    """The same experiments with each cap."""
    told = {how: Told(size.read) for how in CAPS}
    by_day: DoubleArray = np.full(size.days, lift)
    for _ in tracked(range(size.read), name, console):
        data = tables(size.population, n, by_day, rng, there)
        found: dict[str, set[Finding]] = {how: set() for how in CAPS}
        ends: dict[str, tuple[float, float]] = {}
        for at_s in looks_s(looks):
            table = shoppers(data.exposures, data.outcomes, ["reward"], at_s).table
            reader = ArmReader(PLAN, data, at_s)
            for how, cap in CAPS.items():
                metric = REWARD.capped(cap)
                reading = reader.metric(metric, table, EVERYBODY)
                found[how].add(reading.finding)
                ends[how] = (
                    reading.lift or 0.0, (reading.high or 0.0) - (reading.low or 0.0)
                )  # fmt: skip
        for how, each in told.items():
            each.add(found[how], *ends[how])
    return told


def planned(size: Size, rng: np.random.Generator) -> dict[str, Planned]:
    """By cap: the shoppers to find the lift, and what the cap leaves of it, by a history that has
    few bots as well. Who is above the cap cannot do more, so the capped lift is smaller."""
    data = tables(size.population, _PILOT, np.zeros(size.days), rng, Bots(FEW))
    (at_s,) = looks_s(np.array([size.days]))
    table = shoppers(data.exposures, data.outcomes, ["reward"], at_s).table
    control = (table["arm"] == PLAN.control).to_numpy(bool)
    arms = (control, ~control)
    needed = {}
    for how, cap in CAPS.items():
        metric = REWARD.capped(cap)
        values = metric.values(table, arms)
        saved = adjusted(values, arms, metric.past(table)).saved
        reward = table["reward"].to_numpy(np.float64)
        both = pd.DataFrame({"reward": np.concatenate([reward, (1 + LIFT) * reward])})
        without, lifted = np.split(metric.values(both, ()), 2)
        left = float(lifted.mean() / without.mean() - 1)
        question = Question(float(values.mean()), float(values.std(ddof=1)), left, saved=saved)
        needed[how] = Planned(plan(question).shoppers, left)
    return needed


def _alarms(told: Told) -> int:
    return told.better + told.worse


def _plain(by_cap: dict[str, Told]) -> dict[str, dict[str, float]]:
    return {
        how: {field: getattr(told, field) for field in Told.__dataclass_fields__}
        for how, told in by_cap.items()
    }
