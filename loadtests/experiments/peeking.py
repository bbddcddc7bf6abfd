"""Experiments that are read again and again: what was found by then, and what was wrong."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.arrays import BoolArray, DoubleArray, LongArray
from loadtests.experiments.population import Population, Shoppers, rewards, shoppers
from serving.experiments.report.metrics import known_at_exposure
from serving.experiments.statistics.comparison import compare
from serving.experiments.statistics.sample_ratio import MISMATCH, chi_squared, sequential
from serving.experiments.statistics.samples import Sample, adjusted
from serving.experiments.statistics.sequence import LEAST_SHOPPERS

_CELLS = 4_000_000  # shoppers times looks simulated at once


@dataclass(frozen=True, slots=True)
class Peeked:
    """Experiments in which something was found at any look, of `runs`."""

    runs: int
    better: int  # treatment, by the sequence on plain values
    worse: int
    better_past: int  # with the past taken out (CUPED)
    worse_past: int
    naive: int  # either, by a test that is made to be read once
    mismatch: int  # of the sample ratio, by the sequential test
    chi_squared: int  # by the one that is made to be read once
    saved: float  # mean share of variance that the past explained at the last look

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
    """Samples of control and treatment at each look; arrays (experiments, looks)."""

    control: Sample
    treatment: Sample


def batches(runs: int, n: int, looks: int) -> list[int]:
    """Sizes of the batches that `runs` experiments of `n` shoppers are simulated in."""
    size = max(1, _CELLS // (n * looks))
    return [min(size, runs - start) for start in range(0, runs, size)]


def peek(
    population: Population,
    runs: int,
    n: int,
    looks: LongArray,
    lift: float,
    rng: np.random.Generator,
) -> Peeked:
    """Simulate `runs` experiments of `n` shoppers who come until the last look.

    looks: after how many days, ascending.
    """
    of = shoppers(population, (runs, n), int(looks[-1]), rng)
    reward = np.cumsum(rewards(population, of, looks, lift, rng), axis=2)
    plain = _samples(of, looks, reward)
    rest, saved = _without_past(of, looks, reward)
    adjusted_arms = _samples(of, looks, rest)
    read = np.minimum(plain.control.n, plain.treatment.n) >= LEAST_SHOPPERS
    daily = compare(*plain)
    past = compare(*adjusted_arms, plain_control=plain.control, plain_treatment=plain.treatment)
    once = compare(*plain, looks="once")
    counts = _counts(of, looks)
    even = np.array([0.5, 0.5])

    def found(what: bool | BoolArray) -> int:
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


def _counts(of: Shoppers, looks: LongArray) -> LongArray:
    """Shoppers exposed so far, (experiments, looks, 2)."""
    ends = np.searchsorted(of.day[0], looks, side="left")
    treated = np.cumsum(of.arm, axis=1)[:, ends - 1]
    return np.stack([ends - treated, treated], axis=2)


def _samples(of: Shoppers, looks: LongArray, values: DoubleArray) -> Arms:
    """Values (experiments, n, looks) of the shoppers exposed by then."""
    exposed = of.day[..., None] < looks
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


def _without_past(of: Shoppers, looks: LongArray, reward: DoubleArray) -> tuple[DoubleArray, float]:
    """Rewards less what the past explains, each look anew, and the share saved at the last."""
    ends = np.searchsorted(of.day[0], looks, side="left")
    out = reward.copy()
    saved = 0.0
    for run in range(len(reward)):
        for look, day in enumerate(looks.tolist()):
            part = slice(0, int(ends[look]))
            arm = of.arm[run, part]
            if not arm.any() or arm.all():
                continue
            age = np.asarray(day - of.day[run, part], np.float64)
            past = known_at_exposure(of.past[run, part, None], age)
            told = adjusted(reward[run, part, look], [~arm, arm], past)
            out[run, part, look] = told.values
            saved += told.saved / len(reward) if day == looks[-1] else 0.0
    return out, saved
