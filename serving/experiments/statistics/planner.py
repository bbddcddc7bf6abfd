"""How many shoppers an experiment needs to find a lift that is there."""

from dataclasses import dataclass, replace
from math import ceil, isfinite
from statistics import NormalDist

from serving.experiments.statistics.sequence import (
    ALPHA,
    LEAST_SHOPPERS,
    TUNED_TO,
    Looks,
    boundary,
)

MOST = 10**10  # shoppers; a plan beyond it is none


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be found, and of what metric; `lift` is relative, .05 = 5 %."""

    mean: float  # of the metric, per shopper
    deviation: float  # its standard deviation between shoppers
    lift: float
    alpha: float = ALPHA
    power: float = 0.8  # chance to find it
    looks: Looks = "daily"
    tuned_to: float = TUNED_TO
    saved: float = 0.0  # share of the variance that the past explains (CUPED)
    share: float = 0.5  # of the shoppers in treatment

    def __post_init__(self) -> None:
        for name, low, high in (
            ("alpha", 0, 1), ("power", 0, 1), ("share", 0, 1), ("mean", 0, float("inf")),
            ("deviation", 0, float("inf")),
        ):  # fmt: skip
            value = getattr(self, name)
            if not (isfinite(value) and low < value < high):
                raise ValueError(f"{name}: {value} is not between {low} and {high}")
        if not 0 <= self.saved < 1:
            raise ValueError(f"saved: {self.saved} is not a share below 1")
        if self.lift == 0 or not -1 < self.lift < float("inf"):
            raise ValueError(f"lift: {self.lift} is no lift; .05 is 5 %")


@dataclass(frozen=True, slots=True)
class Plan:
    """Shoppers of all arms together, with CUPED as asked and without it."""

    question: Question
    shoppers: int
    shoppers_without_past: int

    def days(self, shoppers_per_day: float) -> float:
        """How long it takes at so many new shoppers a day."""
        if shoppers_per_day <= 0:
            raise ValueError(f"shoppers_per_day: {shoppers_per_day} is not positive")
        return self.shoppers / shoppers_per_day


def plan(question: Question) -> Plan:
    """The least number of shoppers at which the lift is found with the asked power.

    The reading is the one of `compare` at the end; looking before can only find it sooner. The
    metric's spread is taken to grow with its mean.
    """
    return Plan(question, _least(question), _least(replace(question, saved=0.0)))


def power(question: Question, shoppers: int) -> float:
    """The chance to find the lift at `shoppers`, looked at there alone."""
    error = _standard_error(question, shoppers)
    reach = boundary(float(shoppers), question.alpha, question.looks, question.tuned_to)
    return NormalDist().cdf(abs(question.lift) / error - float(reach))


def _standard_error(question: Question, shoppers: int) -> float:
    relative = (question.deviation / question.mean) ** 2 * (1 - question.saved)
    grown = (1 + question.lift) ** 2
    per_shopper: float = relative * grown * (1 / question.share + 1 / (1 - question.share))
    return float((per_shopper / shoppers) ** 0.5)


def _least(question: Question) -> int:
    smaller = min(question.share, 1 - question.share)
    low = ceil(LEAST_SHOPPERS / smaller)
    if power(question, low) >= question.power:
        return low
    high = 2 * low
    while power(question, high) < question.power:
        low, high = high, 2 * high
        if high > MOST:
            raise ValueError(f"lift: {question.lift} needs more than {MOST:,} shoppers")
    while high - low > 1:
        middle = (low + high) // 2
        if power(question, middle) < question.power:
            low = middle
        else:
            high = middle
    return high
