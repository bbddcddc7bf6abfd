"""Reads the running experiments and keeps what was read where every replica can tell it.

A reading walks log and archive, so a job makes it every few minutes, and never a request.
"""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from features.controls.shops import ShopStatus, registered
from features.controls.store import Documents
from features.objective import Objective
from features.store.backends import open_controls
from features.store.kept import Kept, open_kept
from features.store.settings import StoreSettings
from features.store.shops import shop_store
from serving.experiments.kpi.published import publish_kpis
from serving.experiments.published import keep_reading
from serving.experiments.report.interleaved.credit import picks_of
from serving.experiments.report.interleaved.reading import read as read_interleaved
from serving.experiments.report.own_log import Placed, data_of, plan_of
from serving.experiments.report.reading import read
from serving.experiments.report.result import ArmReading, ExperimentReading
from serving.experiments.report.shoppers import ExperimentDataError
from serving.shops.experiments import Experiment, Kind
from serving.shops.placements.placement import worth_upon
from serving.shops.registry.definition import rules_of
from serving.shops.rules import Rules
from serving.shops.steering.decision import DECISIONS, Action, Decision
from serving.shops.steering.in_force import in_force

_POINTS = 90  # days that a page can draw


def publish_registered(installation: StoreSettings, objective: Objective, console: Console) -> None:
    """`publish_of` each registered shop, by the rules of its definition."""
    with closing(open_controls(installation)) as controls:
        shops = registered(controls).values()
    for shop in shops:
        if shop.status is not ShopStatus.REMOVED:
            console.print(f"shop {shop.name}:", markup=False)
            publish_of(shop_store(installation, shop), rules_of(shop), objective, console)


def publish_of(
    store: StoreSettings, declared: Rules, objective: Objective, console: Console
) -> None:
    """Read all of one shop, keep it in its controls and tell it.

    objective: of the installation, for all that the shop's rules do not name
    """
    worth, now_s = worth_upon(objective, declared.objective), time.time()
    with open_kept(store) as kept, closing(open_controls(store)) as controls:
        for reading in publish(in_force(declared, controls).rules, kept, controls, worth, now_s):
            told = f"{reading['experiment']}: {reading['verdict']['sentence']}"
            console.print(f"{told} (read in {reading['took_s']:.1f} s)", markup=False)
        if declared.placements:
            for key, found in publish_kpis(declared.placements, kept, controls, worth, now_s):
                value = "nothing ranked" if found.value is None else f"{found.value:.4g}"
                console.print(f"{key}: {found.kpi.name} {value}", markup=False)


def publish(
    rules: Rules,
    kept: Kept,
    documents: Documents,
    objective: Objective,
    read_at_s: float,
) -> Iterator[dict[str, Any]]:
    """Read each experiment that runs and whose arms shoppers see; keep and give each document.

    Of one that was stopped, or whose arm was promoted, the reading stays as it was then: from then
    on nobody is drawn, and what shoppers do says nothing of the arms. What cannot be read is told
    as the verdict. Raises StoreFullError.
    """
    decided = documents.all(DECISIONS)
    for experiment in rules.experiments:
        decision = decided.get(experiment.key)
        goes_on = decision is None or Decision.of(decision).action is Action.RESUME
        if experiment.draws and goes_on:
            document = _document(experiment, rules, kept, objective, read_at_s)
            keep_reading(documents, experiment.key, document)
            yield document


def _document(
    experiment: Experiment, rules: Rules, kept: Kept, objective: Objective, read_at_s: float
) -> dict[str, Any]:
    """A ReadingOut of the wire, as JSON has it."""
    started_s = time.perf_counter()
    try:
        told = _told(_read(experiment, rules, kept, objective, read_at_s))
    except ExperimentDataError as error:
        told = {"verdict": {"word": "cannot be read", "sentence": f"Cannot be read: {error}."}}
    return {
        "experiment": experiment.key,
        "bucket_version": experiment.bucket_version,
        "control": experiment.arms[0].key,
        "read_at": datetime.fromtimestamp(read_at_s, UTC).isoformat(),
        "took_s": round(time.perf_counter() - started_s, 3),
        "sample_ratio": None,
        "in_two_arms": 0,
        "arms": [],
        "interleaving": None,
        "alpha": None,
        "looks": None,
        **told,
    }


def _read(
    experiment: Experiment, rules: Rules, kept: Kept, objective: Objective, read_at_s: float
) -> ExperimentReading:
    rankings, events = kept.rankings(), kept.events()
    if experiment.kind is Kind.INTERLEAVE:
        picks = picks_of(experiment, rankings, events, objective, read_at_s)
        return read_interleaved(plan_of(experiment), picks, read_at_s)
    placed = Placed.of(experiment, rules.placements, kept.events())
    data = data_of(experiment, rankings, events, objective, placed)
    return read(plan_of(experiment, placements=placed.placements), data, read_at_s)


def _told(reading: ExperimentReading) -> dict[str, Any]:
    told = reading.model_dump(
        mode="json", include={"in_two_arms", "verdict", "alpha", "looks", "interleaving"}
    )
    ratio = reading.sample_ratio
    told["sample_ratio"] = {
        "state": ratio.state,
        "p_value": ratio.p,
        "arms": [
            {"arm": arm, "shoppers": n, "expected": ratio.expected[arm]}
            for arm, n in ratio.counts.items()
        ],
    }
    told["arms"] = [_arm(arm) for arm in reading.arms]
    return told


def _arm(arm: ArmReading) -> dict[str, Any]:
    """An arm with as many days as can be drawn: evenly spaced, the newest always among them."""
    told = arm.model_dump(mode="json")
    days = told["by_day"]
    step = -(-len(days) // _POINTS) or 1
    told["by_day"] = days[::-1][::step][::-1]
    return told
