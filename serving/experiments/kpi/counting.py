"""The KPI of each placement: what shoppers did with what it showed (attribution.py).

Impressions name their ranking.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from features.catalog.counters import HOUR_S
from features.events.event import BehaviorEvent, EventType
from features.events.log import RankingRecord
from features.objective import Objective, label
from serving.experiments.kpi.attribution import VALUED, Attribution
from serving.shops.placements.placement import Kpi, Placement


@dataclass(slots=True)
class KpiCount:
    """Of one placement. impressions: told by the shop; places: that were ranked; counted: by the
    KPI; reward: by the objective; still_open: rankings whose time for events is not over."""

    kpi: Kpi
    rankings: int = 0
    impressions: int = 0
    places: int = 0
    counted: float = 0.0
    reward: float = 0.0
    still_open: int = 0
    shoppers: set[tuple[str | None, str | None]] = field(default_factory=set)

    @property
    def seen(self) -> int:
        """Impressions; where the shop tells none, the places ranked."""
        return self.impressions or self.places

    @property
    def value(self) -> float | None:
        """The KPI; None: nothing was ranked."""
        per = {"ranking": self.rankings, "impression": self.seen, "shopper": len(self.shoppers)}
        of = per[self.kpi.per]
        return self.counted / of if of else None

    @property
    def document(self) -> dict[str, Any]:
        """JSON."""
        return {
            "rankings": self.rankings,
            "shoppers": len(self.shoppers),
            "impressions": self.seen,
            "counted": self.counted,
            "value": self.value,
            "reward": self.reward / self.rankings if self.rankings else None,
            "still_open": self.still_open,
        }


def count(
    placements: Mapping[str, Placement],
    rankings: Iterable[RankingRecord],
    events: Iterable[BehaviorEvent],
    objective: Objective,
    since_s: float,
    until_s: float,
) -> dict[str, KpiCount]:
    """What rankings between the two times, unix seconds, have earned until the second.

    objective: the shop's, for what a placement does not name. Holds the events that may count and
    the rankings that these may count for, not the log.
    """
    counts = {key: KpiCount(placement.kpi) for key, placement in placements.items()}
    kinds = VALUED.union(*(one.kpi.events for one in placements.values()))
    impressions: Counter[str] = Counter()  # by ranking
    happened: list[BehaviorEvent] = []
    attribution = Attribution()
    for event in events:
        if not since_s <= event.at_s <= until_s:
            continue
        if event.type is EventType.IMPRESSION and event.ranking_id is not None:
            impressions[event.ranking_id] += 1
        if event.type in kinds:
            happened.append(event)
            attribution.expect(event)
    for ranking in rankings:
        if since_s <= ranking.at_s <= until_s:
            attribution.shown(ranking)
            if ranking.placement in counts:
                one = counts[ranking.placement]
                _ranked(one, ranking, until_s)
                one.impressions += impressions[ranking.ranking_id]
    earned: dict[tuple[str, str, str | None], list[float]] = defaultdict(list)
    worth = {key: one.objective_upon(objective) for key, one in placements.items()}
    for event in happened:
        ranking_id = attribution.ranking_of(event)
        if ranking_id is None:
            continue
        at_s, placement, _ = attribution.rankings[ranking_id]
        if placement not in counts:
            continue
        one = counts[placement]
        if event.at_s - at_s <= one.kpi.within_hours * HOUR_S:
            one.counted += _counted(one.kpi, event)
        if reward := worth[placement].reward(event, at_s):
            earned[placement, ranking_id, event.item_id].append(reward)
    for (placement, _, _), rewards in earned.items():
        counts[placement].reward += label(rewards)
    return counts


def _ranked(found: KpiCount, ranking: RankingRecord, until_s: float) -> None:
    found.rankings += 1
    found.places += len(ranking.item_ids)
    found.still_open += ranking.at_s + found.kpi.within_hours * HOUR_S > until_s
    found.shoppers.add((ranking.user_id, None if ranking.user_id else ranking.session_id))


def _counted(kpi: Kpi, event: BehaviorEvent) -> float:
    if event.type not in kpi.events:
        return 0.0
    if kpi.count == "events":
        return 1.0
    value = event.value or 0.0
    return -value if event.type is EventType.RETURN else value
