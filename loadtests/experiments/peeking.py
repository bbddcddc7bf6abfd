"""Experiments that are read at the end of every day: what was found by then, and what was wrong."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.arrays import BoolArray, DoubleArray, LongArray
from loadtests.experiments.population import Population, Shoppers, daily_reward, shoppers
from serving.experiments.report.metrics import known_at_exposure
from serving.experiments.statistics.comparison import compare
from serving.experiments.statistics.sample_ratio import MISMATCH, chi_squared, sequential
from serving.experiments.statistics.samples import Sample, adjusted
from serving.experiments.statistics.sequence import LEAST_SHOPPERS

_CELLS = 4_000_000  # shopper days simulated at once


@dataclass(frozen=True, slots=True)
class Peeked:
    """Experiments in which something was found on any of the days, of `runs`."""

    runs: int
    better: int  # treatment, by the sequence on plain values
    worse: int
    better_past: int  # with the past taken out (CUPED)
    worse_past: int
    naive: int  # either, by a test that is made to be read once
    mismatch: int  # of the sample ratio, by the sequential test
    chi_squared: int  # by the one that is made to be read once
    saved: float  # mean share of variance that the past explained on the last day

    def __add__(self, other: "Peeked") -> "Peeked":
        runs = self.runs + other.runs
        saved = (self.runs * self.saved + other.runs * other.saved) / runs
        return Peeked(
            runs,
            self.better + other.better,
            self.worse + other.worse,
            self.better_past + other.better_past,
            self.worse_past + other.worse_past,
            self.naive + other.naive,
            self.mismatch + other.mismatch,
            self.chi_squared + other.chi_squared,
            saved,
        )


class Arms(NamedTuple):
    """Samples of control and treatment at the end of each day; arrays (experiments, days)."""

    control: Sample
    treatment: Sample


def batches(runs: int, n: int, days: int) -> list[int]:
    """Sizes of the batches that `runs` experiments of `n` shoppers are simulated in."""
    size = max(1, _CELLS // (n * days))
    return [min(size, runs - start) for start in range(0, runs, size)]


def peek(
    population: Population, runs: int, n: int, days: int, lift: float, rng: np.random.Generator
) -> Peeked:
    """Simulate `runs` experiments of `n` shoppers, read on each of `days` days."""
    of = shoppers(population, (runs, n), days, rng)
    reward = np.cumsum(daily_reward(population, of, days, lift, rng), axis=2)
    plain = _samples(of, reward)
    rest, saved = _without_past(of, reward)
    adjusted_arms = _samples(of, rest)
    read = np.minimum(plain.control.n, plain.treatment.n) >= LEAST_SHOPPERS
    daily = compare(*plain)
    past = compare(*adjusted_arms, plain_control=plain.control, plain_treatment=plain.treatment)
    once = compare(*plain, looks="once")
    counts = _counts(of, days)
    even = np.array([0.5, 0.5])

    def found(what: DoubleArray | BoolArray) -> int:
        return int((np.asarray(what, bool) & read).any(axis=1).sum())

    return Peeked(
        runs,
        found(daily.low > 0), found(daily.high < 0),
        found(past.low > 0), found(past.high < 0),
        found((once.low > 0) | (once.high < 0)),
        int((sequential(counts, even)[:, -1] < MISMATCH).sum()),
        int((chi_squared(counts, even) < MISMATCH).any(axis=1).sum()),
        saved,
    )  # fmt: skip


def _counts(of: Shoppers, days: int) -> LongArray:
    """Shoppers exposed so far, (experiments, days, 2)."""
    ends = np.searchsorted(of.day[0], np.arange(days), side="right")
    treated = np.cumsum(of.arm, axis=1)[:, ends - 1]
    return np.stack([ends - treated, treated], axis=2)


def _samples(of: Shoppers, values: DoubleArray) -> Arms:
    """Values (experiments, n, days) of the shoppers exposed by then."""
    days = values.shape[2]
    exposed = of.day[..., None] <= np.arange(days)
    samples = []
    for arm in (~of.arm, of.arm):
        of_arm = exposed & arm[..., None]
        n = of_arm.sum(axis=1).astype(np.float64)
        at_least = np.maximum(n, 2.0)
        mean = np.where(of_arm, values, 0.0).sum(axis=1) / at_least
        squares = np.where(of_arm, np.square(values), 0.0).sum(axis=1)
        variance = np.maximum(squares - at_least * np.square(mean), 1e-12) / (at_least - 1)
        samples.append(Sample(n, mean, variance))
    return Arms(*samples)


def _without_past(of: Shoppers, reward: DoubleArray) -> tuple[DoubleArray, float]:
    """Rewards less what the past explains, each day anew, and the share saved on the last day."""
    runs, _, days = reward.shape
    ends = np.searchsorted(of.day[0], np.arange(days), side="right")
    out = reward.copy()
    saved = 0.0
    for run in range(runs):
        for day in range(days):
            part = slice(0, int(ends[day]))
            arm = of.arm[run, part]
            if not arm.any() or arm.all():
                continue
            age = (day + 1.0) - of.day[run, part]
            past = known_at_exposure(of.past[run, part, None], age)
            told = adjusted(reward[run, part, day], [~arm, arm], past)
            out[run, part, day] = told.values
            saved += told.saved / runs if day == days - 1 else 0.0
    return out, saved
