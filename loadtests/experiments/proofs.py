"""The proofs by simulation: false alarms, power, what the past saves, interleaving."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from rich.console import Console

from features.telemetry.progress import tracked
from loadtests.experiments.bars import Bar, at_least, at_most
from loadtests.experiments.interleaved import (
    Found,
    Shop,
    by_ab,
    by_interleaving,
    clicks_by_arm,
    without_difference,
)
from loadtests.experiments.peeking import Peeked, batches, peek
from loadtests.experiments.population import Population, rewards, shoppers
from serving.experiments.report.metrics import known_at_exposure
from serving.experiments.statistics.planner import Question, plan
from serving.experiments.statistics.samples import adjusted

LIFT = 0.05
_PILOT = 400_000  # shoppers of the history that an experiment is planned from


@dataclass(frozen=True, slots=True)
class Size:
    """How much is simulated, and of whom."""

    false_alarms: int = 10_000
    false_alarm_shoppers: int = 2_000
    days: int = 28
    power: int = 1_000
    interleaving: int = 400
    served: int = 60
    read: int = 200  # of those that the whole reading is made of
    population: Population = field(default_factory=Population)


@dataclass(frozen=True, slots=True)
class Proved:
    """Bars, and what they rest on."""

    bars: list[Bar]
    figures: dict[str, Any]


def false_alarms(size: Size, seed: int, console: Console) -> Proved:
    """A/A: two equal arms, read every day."""
    rng = np.random.default_rng(seed)
    runs, n = size.false_alarms, size.false_alarm_shoppers
    daily = np.arange(1, size.days + 1)
    sizes = batches(runs, n, size.days)
    parts = [
        peek(size.population, batch, n, daily, 0.0, rng)
        for batch in tracked(sizes, "A/A experiments, in batches", console)
    ]
    found = reduce(add, parts)
    note = f"{n:,} shoppers, {size.days} daily looks"
    bars = [
        at_most("false alarms of the sequence", found.better + found.worse, runs, 0.05, note),
        at_most(
            "false alarms of the sequence with CUPED", found.better_past + found.worse_past, runs,
            0.05, note,
        ),
        at_most("false alarms of the sample ratio", found.mismatch, runs, 0.001, note),
    ]  # fmt: skip
    return Proved(bars, {"false_alarms": _plain(found), "shoppers": n, "days": size.days})


def power(size: Size, seed: int, console: Console) -> Proved:
    """A planted lift, with as many shoppers as the planner asks for."""
    rng = np.random.default_rng(seed)
    mean, deviation, saved, by_age = history(size, rng)
    question = Question(mean, deviation, LIFT, saved=saved)
    planned = plan(question)
    own = 1 - (1 - saved) / (1 - by_age)
    note = "of what is left when it is known how long ago a shopper was exposed"
    bars = [Bar("variance that the past saves", own, 0.25, True, None, note)]
    figures: dict[str, Any] = {
        "mean": mean, "deviation": deviation, "saved": saved, "saved_by_age": by_age,
        "lift": LIFT,
        "planned_with_past": planned.shoppers, "planned_without": planned.shoppers_without_past,
        "planned_once": plan(replace(question, looks="once")).shoppers,
    }  # fmt: skip
    for name, n in (("with", planned.shoppers), ("without", planned.shoppers_without_past)):
        weekly = np.arange(7, size.days + 1, 7)  # looking more often could only find more
        sizes = batches(size.power, n, len(weekly))
        found = reduce(add, (
            peek(size.population, batch, n, weekly, LIFT, rng)
            for batch in tracked(sizes, f"planted lifts, planned {name} CUPED", console)
        ))  # fmt: skip
        figures[name] = _plain(found)
        right = found.better_past if name == "with" else found.better
        note = f"{n:,} shoppers as planned, weekly looks"
        bars.append(at_least(f"power {name} CUPED", right, size.power, 0.8, note))
    return Proved(bars, figures)


def interleaving(size: Size, seed: int, console: Console) -> Proved:
    """The same two rankers by A/B at the planned size, and by interleaving at a twentieth."""
    rng = np.random.default_rng(seed)
    shop = Shop()
    pilots = [clicks_by_arm(shop, _PILOT // 4, rng) for _ in range(16)]
    control, treatment = (np.concatenate([pilot[arm] for pilot in pilots]) for arm in (0, 1))
    lift = float(treatment.mean() / control.mean() - 1)
    question = Question(float(control.mean()), float(control.std(ddof=1)), lift)
    n = plan(question).shoppers
    few = n // 20
    runs = size.interleaving
    found: dict[str, Found] = {}
    compared: list[tuple[str, Callable[[], Found]]] = [
        ("A/B", lambda: by_ab(shop, n, runs // 4, rng)),
        ("A/B with a twentieth", lambda: by_ab(shop, few, runs, rng)),
        ("interleaving with a twentieth", lambda: by_interleaving(shop, few, runs, rng)),
        (
            "interleaving, equal rankers",
            lambda: by_interleaving(without_difference(shop), few, runs, rng),
        ),
    ]
    for name, ask in tracked(compared, "rankers compared", console):
        found[name] = ask()
    won, equal = found["interleaving with a twentieth"], found["interleaving, equal rankers"]
    bars = [
        at_least(
            "order found by interleaving", won.right, won.runs, 0.8,
            f"{few:,} shoppers; A/B needs {n:,} for {lift:+.1%} clicks",
        ),
        at_most(
            "false orders of interleaving", equal.right + equal.wrong, equal.runs, 0.05,
            f"{few:,} shoppers, equally good rankers",
        ),
    ]  # fmt: skip
    return Proved(bars, {
        "lift": lift, "shoppers_ab": n, "shoppers_interleaved": few,
        **{name: each._asdict() for name, each in found.items()},
    })  # fmt: skip


def history(size: Size, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Reward at the end of such an experiment: mean, deviation, share of its variance explained by
    what was known at exposure, and by how long ago that was alone."""
    population, days = size.population, size.days
    of = shoppers(population, (1, _PILOT), days, rng)
    reward = rewards(population, of, np.array([days]), 0.0, rng)[0, :, 0]
    arms = [~of.arm[0], of.arm[0]]
    past = known_at_exposure(of.past[0, :, None], days - of.day[0].astype(np.float64))
    saved, by_age = (adjusted(reward, arms, known).saved for known in (past, past[:, 1:2]))
    return float(reward.mean()), float(reward.std(ddof=1)), saved, by_age


def _plain(found: Peeked) -> dict[str, float]:
    return {name: getattr(found, name) for name in found.__dataclass_fields__}
