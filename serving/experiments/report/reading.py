"""Reads an experiment: sample ratio first, then the deciding metric, the others, guard rails."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from features.arrays import LongArray
from serving.experiments.report.arms import ArmReader
from serving.experiments.report.plan import Data, Plan
from serving.experiments.report.result import ArmReading, ExperimentReading, SampleRatio
from serving.experiments.report.shoppers import ExperimentDataError, counts_by_day, shoppers
from serving.experiments.report.verdict import of_all, unreadable
from serving.experiments.statistics.sample_ratio import MISMATCH, WARNING, chi_squared, sequential
from serving.experiments.statistics.sequence import Looks


def read(plan: Plan, data: Data, read_at_s: float) -> ExperimentReading:
    """The reading at `read_at_s`; raises ExperimentDataError for tables that do not fit."""
    _check_arms(plan, data)
    found = shoppers(
        data.exposures, data.outcomes, plan.columns, read_at_s, plan.past_days, plan.first_days
    )
    counts = counts_by_day(found.table, list(plan.weights), read_at_s)
    ratio = sample_ratio(counts, plan.weights, plan.looks)
    arms: tuple[ArmReading, ...] = ()
    if ratio.state != "mismatch":
        reader = ArmReader(plan, data, read_at_s)
        arms = tuple(reader.read(arm, found.table) for arm in plan.arms)
    return ExperimentReading(
        experiment=plan.experiment,
        read_at_s=read_at_s,
        control=plan.control,
        looks=plan.looks,
        alpha=plan.alpha,
        correction=plan.correction,
        sample_ratio=ratio,
        in_two_arms=found.in_two_arms,
        cap=plan.deciding.cap,
        arms=arms,
        interleaving=data.interleaving,
        verdict=of_all(arms) if arms else unreadable(ratio),
    )


def sample_ratio(counts: LongArray, weights: Mapping[str, float], looks: Looks) -> SampleRatio:
    """The state of shoppers exposed so far, `counts` (days, arms), cumulated.

    A chi-squared test that is repeated every day raises several times the false alarms that it
    names, so it decides only where the experiment is read once; read daily, the sequential test
    decides, and the chi-squared one may warn.
    """
    shares = np.array([*weights.values()], np.float64)
    once = float(chi_squared(counts[-1], shares))
    daily = float(sequential(counts, shares)[-1])
    deciding = daily if looks == "daily" else once
    state: Literal["ok", "warning", "mismatch"] = "ok"
    if deciding < MISMATCH:
        state = "mismatch"
    elif min(deciding, once) < WARNING:
        state = "warning"
    return SampleRatio(
        counts=dict(zip(weights, counts[-1].tolist(), strict=True)),
        expected=dict(zip(weights, (shares / shares.sum()).tolist(), strict=True)),
        chi_squared_p=once,
        sequential_p=daily,
        decides="sequential" if looks == "daily" else "chi_squared",
        state=state,
    )


def _check_arms(plan: Plan, data: Data) -> None:
    if "arm" not in data.exposures:
        return  # told with the other columns
    strange = sorted(set(data.exposures["arm"].astype(str)) - set(plan.weights))
    if strange:
        raise ExperimentDataError(f"exposures: column 'arm': {strange[0]!r} has no weight")
    for column in plan.segments:
        if column not in data.exposures:
            raise ExperimentDataError(f"exposures: column {column!r} is missing, a segment")
