"""The KPI of each placement: what shoppers did with what it showed.

An event counts for the ranking that it names, if that showed its item. One that names none counts
where its item was last shown to the user, or else the session, by whichever ranking before it: a
placement earns nothing by what another one, or none, showed last. Impressions name their ranking.
"""

from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from features.catalog.counters import HOUR_S
from features.events.event import BehaviorEvent, EventType
from features.events.log import RankingRecord
from features.objective import Objective, label
from serving.shops.placements.placement import Kpi, Placement

_ShownTo = tuple[str, str, str | None]  # user or session, the pseudonym, the item
# What an objective may value; a KPI may count others.
_VALUED = frozenset(
    {
        EventType.CLICK, EventType.ADD_TO_CART, EventType.PURCHASE, EventType.RETURN,
        EventType.DWELL, EventType.HIDE,
    }
)  # fmt: skip


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


class _Ranking(NamedTuple):
    at_s: float
    placement: str | None
    item_ids: tuple[str, ...]


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
    kinds = _VALUED.union(*(one.kpi.events for one in placements.values()))
    happened = _Happened()
    for event in events:
        if since_s <= event.at_s <= until_s:
            happened.add(event, kinds)
    for ranking in rankings:
        if since_s <= ranking.at_s <= until_s:
            happened.shown(ranking)
            if ranking.placement in counts:
                one = counts[ranking.placement]
                _ranked(one, ranking, until_s)
                one.impressions += happened.impressions[ranking.ranking_id]
    earned: dict[tuple[str, str, str | None], list[float]] = defaultdict(list)
    worth = {key: one.objective_upon(objective) for key, one in placements.items()}
    for event in happened.events:
        ranking_id = happened.ranking_of(event)
        if ranking_id is None:
            continue
        at_s, placement, _ = happened.rankings[ranking_id]
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


class _Happened:
    """Events that may count, and then the rankings that these may count for."""

    def __init__(self) -> None:
        self.events: list[BehaviorEvent] = []
        self.impressions: Counter[str] = Counter()  # by ranking
        self.rankings: dict[str, _Ranking] = {}
        self._named: set[str] = set()
        self._shown_to: dict[_ShownTo, list[tuple[float, str]]] = {}

    def add(self, event: BehaviorEvent, kinds: frozenset[str]) -> None:
        """An event, before any ranking."""
        if event.type is EventType.IMPRESSION and event.ranking_id is not None:
            self.impressions[event.ranking_id] += 1
        if event.type not in kinds:
            return
        self.events.append(event)
        if event.ranking_id is not None:
            self._named.add(event.ranking_id)
            return
        for key in _names(event.user_id, event.session_id, event.item_id):
            self._shown_to.setdefault(key, [])

    def shown(self, ranking: RankingRecord) -> None:
        """A ranking, of a placement or of none."""
        told = ranking.ranking_id in self._named
        for item_id in ranking.item_ids if self._shown_to else ():
            for key in _names(ranking.user_id, ranking.session_id, item_id):
                if key in self._shown_to:
                    insort(self._shown_to[key], (ranking.at_s, ranking.ranking_id))
                    told = True
        if told:
            self.rankings[ranking.ranking_id] = _Ranking(
                ranking.at_s, ranking.placement, ranking.item_ids
            )

    def ranking_of(self, event: BehaviorEvent) -> str | None:
        """The ranking that showed its item; None: none that is known."""
        if event.ranking_id is not None:
            named = self.rankings.get(event.ranking_id)
            shown = named is not None and event.item_id in named.item_ids
            return event.ranking_id if shown else None
        for key in _names(event.user_id, event.session_id, event.item_id):
            before = self._shown_to[key]
            place = bisect_right(before, event.at_s, key=itemgetter(0))
            if place:
                return before[place - 1][1]
        return None


def _names(user_id: str | None, session_id: str | None, item_id: str | None) -> list[_ShownTo]:
    named = (("user", user_id), ("session", session_id))
    return [(kind, name, item_id) for kind, name in named if name]
