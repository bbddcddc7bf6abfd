"""One arm read against control: metrics, segments, guard rails, and the days before."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from features.arrays import BoolArray, DoubleArray
from serving.experiments.report.lasting import Parts, lasting, parts
from serving.experiments.report.metrics import GuardRail, Metric
from serving.experiments.report.plan import Data, Plan
from serving.experiments.report.result import (
    EVERYBODY,
    ArmReading,
    DayPoint,
    Finding,
    GuardRailReading,
    MetricReading,
)
from serving.experiments.report.shoppers import day_ends, shoppers
from serving.experiments.report.verdict import of_arm
from serving.experiments.statistics.comparison import compare
from serving.experiments.statistics.correction import corrected
from serving.experiments.statistics.samples import adjusted, sample_of
from serving.experiments.statistics.sequence import LEAST_SHOPPERS

LATER = "later days"  # a segment has a colon
_ROUNDING = 1e-6  # of control's mean: shoppers who differ by no more than this do not differ


@dataclass(frozen=True, slots=True)
class ArmReader:
    """Reads the arms of one experiment at one time."""

    plan: Plan
    data: Data
    read_at_s: float

    @property
    def alpha(self) -> float:
        """Of each comparison: Bonferroni over the arms that are compared with control."""
        return self.plan.alpha / len(self.plan.arms)

    def read(self, arm: str, table: pd.DataFrame) -> ArmReading:
        """All of one arm; `table` is that of all shoppers."""
        own = self._pair(arm, table)
        deciding = self.metric(self.plan.deciding, own, EVERYBODY)
        of = parts(own, self.plan.deciding.columns, self.plan.first_days)
        lasts = lasting(self.plan, self.alpha, of)
        asked = self._others(own, None if lasts is None else of)
        others = self._corrected([self.metric(metric, part, name) for metric, part, name in asked])
        later = next((each for each in others if each.segment == LATER), None)
        rails = [
            self._guard_rail(rail, own)
            for rail in self.plan.guard_rails
            if rail.metric.per is None or own[rail.metric.per].any()
        ]
        return ArmReading(
            arm=arm,
            deciding=deciding,
            others=tuple(others),
            guard_rails=tuple(rails),
            by_day=tuple(self._by_day(arm, table)) if self.plan.by_day else (),
            lasting=lasts,
            verdict=of_arm(arm, self.plan.control, deciding, rails, lasts, later),
        )

    def metric(self, metric: Metric, table: pd.DataFrame, segment: str) -> MetricReading:
        """One metric of a table of control and one arm."""
        control = (table["arm"] == self.plan.control).to_numpy(bool)
        masks: list[BoolArray] = [control, ~control]
        sizes = (int(control.sum()), int((~control).sum()))
        if min(sizes) < LEAST_SHOPPERS:
            return _unsaid(metric, segment, sizes, "too few")
        values = metric.values(table, masks)
        plain = [sample_of(values[mask]) for mask in masks]
        means = [_known(sample.mean) for sample in plain]
        if not means[0] or means[1] is None:
            return _unsaid(metric, segment, sizes, "too few", *means)
        rest, saved = adjusted(values, masks, metric.past(table))
        control_rest, treatment_rest = (sample_of(rest[mask]) for mask in masks)
        spread = max(control_rest.variance, treatment_rest.variance) ** 0.5
        if spread <= _ROUNDING * abs(means[0]):
            # An interval without width would leave zero out by the rounding of a sum.
            return _unsaid(metric, segment, sizes, "no variance", *means)
        told = compare(
            control_rest, treatment_rest, self.alpha, self.plan.looks, self.plan.tuned_to,
            plain_control=plain[0], plain_treatment=plain[1],
        )  # fmt: skip
        low, high = float(told.low), float(told.high)
        return MetricReading(
            metric=metric.name, segment=segment, shoppers=sizes,
            control=means[0], treatment=means[1],
            lift=float(told.lift), low=low, high=high, p_value=float(told.p_value), saved=saved,
            finding=_finding(metric, low, high),
        )  # fmt: skip

    def _pair(self, arm: str, table: pd.DataFrame) -> pd.DataFrame:
        return table[table["arm"].isin([self.plan.control, arm])].reset_index(drop=True)

    def _others(
        self, own: pd.DataFrame, of: Parts | None
    ) -> list[tuple[Metric, pd.DataFrame, str]]:
        """The other metrics of all shoppers, and the deciding one of their first and later days and
        of each segment; of each placement the part that it earned, of all shoppers."""
        asked = [(metric, own, EVERYBODY) for metric in self.plan.others]
        if of is not None:
            asked.append((self.plan.deciding, of.first, f"first {self.plan.first_days} days"))
            asked.append((self.plan.deciding, of.later, LATER))
        for column in self.plan.segments:
            for value, part in own.groupby(column, sort=True):
                name = f"{column}: {value}"
                asked.append((self.plan.deciding, part.reset_index(drop=True), name))
        for placement in self.plan.placements:
            metric = self.plan.deciding.at(placement)
            if own[metric.column].any():
                asked.append((metric, own, f"placement: {placement}"))
        return asked

    def _corrected(self, readings: list[MetricReading]) -> list[MetricReading]:
        p_values = np.array([_nan(reading.p_value) for reading in readings], np.float64)
        out = []
        for reading, p in zip(readings, corrected(p_values, self.plan.correction), strict=True):
            sure = p < self.alpha
            finding = (
                "open" if reading.finding in ("better", "worse") and not sure else reading.finding
            )
            adjusted_p = _known(p)
            out.append(reading.model_copy(update={"adjusted_p": adjusted_p, "finding": finding}))
        return out

    def _guard_rail(self, rail: GuardRail, own: pd.DataFrame) -> GuardRailReading:
        reading = self.metric(rail.metric, own, EVERYBODY)
        bound = rail.allowed(reading.control)
        state: Literal["kept", "broken", "open"] = "open"
        ends = _ends(reading)
        if ends is not None:
            worst, best = (max(ends), min(ends)) if rail.metric.less_is_better else (
                -min(ends), -max(ends)
            )  # fmt: skip
            if best > bound:
                state = "broken"
            elif worst <= bound:
                state = "kept"
        elif reading.control == reading.treatment == 0:
            state = "kept"  # it happened to nobody
        return GuardRailReading(reading=reading, bound=bound, state=state)

    def _by_day(self, arm: str, table: pd.DataFrame) -> list[DayPoint]:
        points = []
        columns = self.plan.deciding.columns
        for day, end_s in enumerate(day_ends(table, self.read_at_s), start=1):
            found = shoppers(
                self.data.exposures, self.data.outcomes, columns, end_s, self.plan.past_days
            )
            told = self.metric(self.plan.deciding, self._pair(arm, found.table), EVERYBODY)
            if told.lift is not None and told.low is not None and told.high is not None:
                points.append(DayPoint(day=day, lift=told.lift, low=told.low, high=told.high))
        return points


def _finding(metric: Metric, low: float, high: float) -> Finding:
    if low > 0:
        return "worse" if metric.less_is_better else "better"
    if high < 0:
        return "better" if metric.less_is_better else "worse"
    return "open"


def _ends(reading: MetricReading) -> tuple[float, float] | None:
    """Between what the lift is; of shoppers who do not differ it is what it is."""
    if reading.low is not None and reading.high is not None:
        return reading.low, reading.high
    if reading.finding == "no variance" and reading.control and reading.treatment is not None:
        lift = reading.treatment / reading.control - 1
        return lift, lift
    return None


def _unsaid(
    metric: Metric,
    segment: str,
    sizes: tuple[int, int],
    why: Finding,
    control: float | None = None,
    treatment: float | None = None,
) -> MetricReading:
    return MetricReading(
        metric=metric.name, segment=segment, shoppers=sizes, control=control, treatment=treatment,
        lift=None, low=None, high=None, p_value=None, finding=why,
    )  # fmt: skip


def _known(value: float | DoubleArray) -> float | None:
    return None if np.isnan(value) else float(value)


def _nan(value: float | None) -> float:
    return np.nan if value is None else value
