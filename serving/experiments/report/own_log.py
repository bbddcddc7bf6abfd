"""Exposures and outcomes of a declared experiment, from the shop's own log and archive.

A shopper is whom the arm was drawn by. What a user does counts for the session that the user began
as, when the arm was drawn by that (docs/adr/0034).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import pandas as pd

from features.events.event import BehaviorEvent, EventType
from features.events.log import RankingRecord
from features.objective import Objective
from serving.experiments.kpi.attribution import VALUED, Attribution
from serving.experiments.report.metrics import (
    CAP,
    RETURNS,
    REWARD,
    GuardRail,
    Kind,
    Metric,
    column_at,
)
from serving.experiments.report.plan import Data, Plan
from serving.experiments.report.shoppers import ExperimentDataError
from serving.shops.experiments import Experiment
from serving.shops.experiments import Kind as ExperimentKind
from serving.shops.steering.guard import NOTICED_S
from serving.shops.steering.policy import Guard
from serving.types import Route

_COUNTED = {
    EventType.IMPRESSION: "impressions",
    EventType.CLICK: "clicks",
    EventType.PURCHASE: "purchases",
    EventType.RETURN: "returns",
}
_Name = tuple[str, str]  # of a user or of a session
_SERVED = ("asked", "by_model", "timed", "model_s")  # of rankings: see _served
_COLUMNS = ("reward", "revenue", *_COUNTED.values(), *_SERVED)
# Of fallbacks the rest: then a relative bound has a meaning, also where control has none at all.
_BY_MODEL = Metric(
    name="share ranked by the model", column="by_model", kind=Kind.RATIO, per="asked"
)
_MODEL_TIME = Metric(
    name="model time", column="model_s", kind=Kind.RATIO, per="timed", less_is_better=True
)


class _Ranked(NamedTuple):
    """What is needed of a ranking that counts as seen: without its arrays, a log is small."""

    at_s: float
    items: int
    names: tuple[_Name, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """Placements whose part of the reward is read, and which ranking an event counts for."""

    placements: tuple[str, ...] = ()
    attribution: Attribution | None = None

    @classmethod
    def of(
        cls, experiment: Experiment, declared: Iterable[str], events: Iterable[BehaviorEvent]
    ) -> Self:
        """Those that the experiment is drawn at, or all that the shop declares; without any,
        `events` are not read."""
        aimed = experiment.targeting.placements
        names = tuple(name for name in declared if name in aimed or not aimed)
        if not names or experiment.kind is ExperimentKind.INTERLEAVE:
            return cls()
        attribution = Attribution()
        for event in events:
            if event.type in VALUED:
                attribution.expect(event)
        return cls(names, attribution)

    def shown(self, ranking: RankingRecord) -> None:
        """A ranking of the log, before the events are read again."""
        if self.attribution is not None:
            self.attribution.shown(ranking)

    def part(self, event: BehaviorEvent, reward: float) -> dict[str, float]:
        """The reward once more, for the placement that earned it."""
        if self.attribution is None or not reward:
            return {}
        placement = self.attribution.placement_of(event)
        if placement not in self.placements:
            return {}
        return {column_at(REWARD.column, placement): reward}


def plan_of(experiment: Experiment, cap: float = CAP, placements: tuple[str, ...] = ()) -> Plan:
    """How a declared experiment is read: its first arm is control, a shopper's reward is capped,
    and what its guard watches are guard rails.

    Raises ExperimentDataError for one whose arms nobody sees.
    """
    if experiment.kind is ExperimentKind.SHADOW:
        raise ExperimentDataError(f"{experiment.key}: a shadow has no outcomes; see its metrics")
    weights = zip((arm.key for arm in experiment.arms), experiment.weights, strict=True)
    return Plan(
        experiment.key, experiment.arms[0].key, dict(weights),
        deciding=REWARD.capped(cap), segments=("drawn_by",), placements=placements,
        guard_rails=(RETURNS, *_rails(experiment.guard)),
    )  # fmt: skip


def _rails(guard: Guard | None) -> tuple[GuardRail, ...]:
    if guard is None:
        return ()
    time = GuardRail(metric=_MODEL_TIME, bound=guard.model_time - 1, unnoticed=NOTICED_S)
    return GuardRail(metric=_BY_MODEL, bound=guard.fallback), time


def data_of(
    experiment: Experiment,
    rankings: Iterable[RankingRecord],
    events: Iterable[BehaviorEvent],
    objective: Objective,
    placed: Placed = Placed(),
) -> Data:
    """What the log knows of the experiment as it is drawn now (its `bucket_version`).

    placed: made of the same events

    Where the shop tells no impressions, what was ranked counts as seen. Raises ExperimentDataError
    when nobody was exposed.
    """
    exposed: dict[tuple[str, str], dict[str, Any]] = {}
    units: dict[_Name, str] = {}
    shown_s: dict[str, float] = {}
    ranked: list[_Ranked] = []
    served: list[dict[str, Any]] = []
    versions = {arm.key: arm.model_version for arm in experiment.arms}
    for ranking in rankings:
        shown_s[ranking.ranking_id] = ranking.at_s
        placed.shown(ranking)
        names = _names(ranking.user_id, ranking.session_id)
        ranked.append(_Ranked(ranking.at_s, len(ranking.item_ids), names))
        for exposure in ranking.exposures:
            if (exposure.experiment, exposure.bucket_version) != (
                experiment.key,
                experiment.bucket_version,
            ):
                continue
            unit = exposure.hash_value
            row = {
                "unit": unit, "arm": exposure.variant, "first_exposed_s": ranking.at_s,
                "drawn_by": exposure.hash_attribute,
            }  # fmt: skip
            first = exposed.setdefault((unit, exposure.variant), row)
            first["first_exposed_s"] = min(first["first_exposed_s"], ranking.at_s)
            if ranking.route != Route.COLD_START:
                served.append(_served(unit, ranking, versions.get(exposure.variant)))
            for name in names:
                units.setdefault(name, unit)
    if not exposed:
        raise ExperimentDataError(f"{experiment.key}: log and archive hold no ranking of it")
    outcomes = [
        _outcome(unit, event, shown_s, objective, placed)
        for event in events
        if (unit := _unit(units, _names(event.user_id, event.session_id)))
    ]
    if not any(row.get("impressions") for row in outcomes):
        outcomes += [
            {"unit": unit, "at_s": each.at_s, "impressions": float(each.items)}
            for each in ranked
            if (unit := _unit(units, each.names))
        ]
    outcomes += served
    columns = [*_COLUMNS, *(column_at(REWARD.column, name) for name in placed.placements)]
    table = pd.DataFrame(outcomes, columns=["unit", "at_s", *columns])
    table[columns] = table[columns].fillna(0.0).astype(float)
    return Data(pd.DataFrame([*exposed.values()]), table)


def _outcome(
    unit: str, event: BehaviorEvent, shown_s: dict[str, float], objective: Objective, placed: Placed
) -> dict[str, Any]:
    since_s = shown_s.get(event.ranking_id or "", event.at_s)
    reward = objective.reward(event, since_s)
    row = {"unit": unit, "at_s": event.at_s, "reward": reward, **placed.part(event, reward)}
    if event.type is EventType.PURCHASE:
        row["revenue"] = event.value or 0.0
    if event.type in _COUNTED:
        row[_COUNTED[event.type]] = 1.0
    return row


def _served(unit: str, ranking: RankingRecord, version: str | None) -> dict[str, Any]:
    """A ranking that the model was asked for, its time if it was the arm's `version` that answered
    (None: the one in use)."""
    row: dict[str, Any] = {"unit": unit, "at_s": ranking.at_s, "asked": 1.0}
    if ranking.route == Route.MODEL:
        row["by_model"] = 1.0
        if ranking.model_s is not None and version in (None, ranking.model_version):
            row |= {"timed": 1.0, "model_s": ranking.model_s}
    return row


def _names(user_id: str | None, session_id: str | None) -> tuple[_Name, ...]:
    named = (("user", user_id), ("session", session_id))
    return tuple((kind, name) for kind, name in named if name)


def _unit(units: dict[_Name, str], names: tuple[_Name, ...]) -> str:
    """Whom it counts for, the user first; "" when they are not in the experiment."""
    return next((units[name] for name in names if name in units), "")
