"""What a reading of an experiment says, as it goes to JSON, a table and a picture."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from serving.experiments.statistics.correction import Correction
from serving.experiments.statistics.interleaving import Preference
from serving.experiments.statistics.sequence import Looks

EVERYBODY = "all"
Finding = Literal["better", "worse", "open", "too few", "no variance"]


class _Result(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SampleRatio(_Result):
    """Are the arms as large as they should be?"""

    counts: dict[str, int]
    expected: dict[str, float]  # shares
    chi_squared_p: float  # of this look alone
    sequential_p: float  # of all looks until this one
    decides: Literal["chi_squared", "sequential"]
    state: Literal["ok", "warning", "mismatch"]

    @property
    def p(self) -> float:
        """Of the test that decides."""
        return self.sequential_p if self.decides == "sequential" else self.chi_squared_p


class MetricReading(_Result):
    """One metric of one arm against control, in one segment. Lifts are relative: .05 = 5 %.

    None: it cannot be said. Too few shoppers, nothing in control, or the same of every shopper, as
    far as the past leaves a difference: no verdict may rest on a variance of zero.
    """

    metric: str
    segment: str = EVERYBODY
    shoppers: tuple[int, int]  # of control and of the arm
    control: float | None
    treatment: float | None
    lift: float | None
    low: float | None
    high: float | None
    p_value: float | None
    adjusted_p: float | None = None  # None: it is the one that decides
    saved: float = 0.0  # share of the variance that the past explained
    finding: Finding = "open"


class GuardRailReading(_Result):
    """kept: worse by more than the bound is ruled out; broken: it is certain; open: neither."""

    reading: MetricReading
    bound: float
    state: Literal["kept", "broken", "open"]


class DayPoint(_Result):
    """The deciding metric as it was read at the end of a day since the first exposure."""

    day: int
    lift: float
    low: float
    high: float


class Lasting(_Result):
    """The deciding metric's lift in shoppers' later days against their first ones, of those who
    were exposed longer. `change` is (1 + lift later) / (1 + lift first) - 1: -.1 = 10 % less."""

    first_days: int
    shoppers: tuple[int, int]  # of control and of the arm
    change: float
    low: float
    high: float
    finding: Literal["falls", "rises", "open"]


class Verdict(_Result):
    """One word for programs, one sentence for people."""

    word: Literal["do not read", "worse", "guard rail broken", "better", "open"]
    sentence: str


class ArmReading(_Result):
    """One arm against control."""

    arm: str
    deciding: MetricReading
    others: tuple[MetricReading, ...] = ()
    guard_rails: tuple[GuardRailReading, ...] = ()
    by_day: tuple[DayPoint, ...] = ()
    lasting: Lasting | None = None  # None: too early, or nothing was done
    verdict: Verdict


class ExperimentReading(_Result):
    """The whole reading. `arms` is empty when the sample ratio forbids to read on."""

    experiment: str
    read_at_s: float
    control: str
    looks: Looks
    alpha: float
    correction: Correction  # of every metric and segment but the deciding one
    sample_ratio: SampleRatio
    in_two_arms: int
    cap: float | None = None  # quantile up to which a shopper's deciding sum counts
    arms: tuple[ArmReading, ...] = ()
    interleaving: Preference | None = None
    verdict: Verdict
