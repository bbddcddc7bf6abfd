"""What the courses of several shops say of a policy, with intervals over the shops."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from features.arrays import DoubleArray
from loadtests.exploration.play import Course

_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one policy against none, the same shops and shoppers.

    reward: of the last day; gain: its difference, what chance costs that day taken off already;
    cost: of chance, mean of all days; net: mean difference of all days; all four per ranking, and
    those but the first in % of the reward without. beyond: gain - cost; found: share of the new
    items that deserve it; sooner: how many times as fast they are found
    """

    name: str
    reward: Interval
    gain: Interval
    cost: Interval
    net: Interval
    beyond: Interval
    found: Interval
    sooner: Interval

    @property
    def pays(self) -> bool:
        """Surely more is gained on the last day than chance costs a day."""
        return self.beyond.low > 0

    @property
    def twice_as_fast(self) -> bool:
        """New items are surely found in half the time."""
        return self.sooner.low >= 2


def finding(name: str, courses: Sequence[Course], without: Sequence[Course]) -> Finding:
    """courses, without: one each a shop, in the same order; at least two."""
    reward, before = (np.array([c.reward for c in each]) for each in (courses, without))
    percent = 100 / before.mean(axis=1)
    gain = (reward[:, -1] - before[:, -1]) * percent
    cost = np.array([np.mean(c.cost) for c in courses]) * percent
    pace = [_pace(course) for course in courses]
    usual = [_pace(course) for course in without]
    return Finding(
        name,
        interval(reward[:, -1]),
        interval(gain),
        interval(cost),
        interval((reward - before).mean(axis=1) * percent),
        interval(gain - cost),
        interval(np.array([c.found / c.deserving for c in courses])),
        _exponential(interval(np.log(pace) - np.log(usual))),
    )


def interval(values: DoubleArray) -> Interval:
    """Of the mean of independent values (n,), by Student's t."""
    mean, error = float(values.mean()), float(stats.sem(values))
    half = error * float(stats.t.ppf((1 + _CONFIDENCE) / 2, len(values) - 1))
    return Interval(mean, mean - half, mean + half)


def _pace(course: Course) -> float:
    """Items found for each day that one waits. Half an item is added: none may be found."""
    return (course.found + 0.5) / (course.at_risk + 0.5)


def _exponential(logarithm: Interval) -> Interval:
    return Interval(*(float(np.exp(v)) for v in (logarithm.mean, logarithm.low, logarithm.high)))
