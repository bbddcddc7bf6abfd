"""What became of rankings: events by the route, version, arm and placement that showed the item."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from features.events.event import BehaviorEvent
from features.events.log import RankingRoute
from features.telemetry.ingest_metrics import (
    EXPERIMENT_OUTCOMES,
    OUTCOMES,
    PLACEMENT_OUTCOMES,
    ArmLabel,
    PlacementLabel,
    VersionLabel,
)

SETTLE_S = 1.0  # a ranking is recorded a moment after it was answered; its events may be faster
_UNKNOWN = RankingRoute("unknown", None)
_CACHED = 20_000  # rankings whose route is remembered: some minutes of a busy shop
_LOOK_UP = 1_000  # rankings asked for at once
ROUTES = frozenset({"model", "cold_start", "fallback", "unknown"})


class RouteReader(Protocol):
    """The log, as far as outcomes need it."""

    def routes(self, ranking_ids: Sequence[str]) -> dict[str, RankingRoute]:
        """Of up to 1,000 rankings those that are known."""
        ...


class Outcomes:
    """Counts events by how their ranking came about, SETTLE_S after they were taken.

    An event may name any ranking_id: a made-up one counts as unknown and is not remembered.
    """

    def __init__(self, rankings: RouteReader, shop: str) -> None:
        self._rankings, self._shop = rankings, shop
        self._routes: OrderedDict[str, RankingRoute] = OrderedDict()
        self._waiting: deque[tuple[float, BehaviorEvent]] = deque()
        self._versions, self._arms = VersionLabel(), ArmLabel()
        self._placements = PlacementLabel()

    def take(self, events: Sequence[BehaviorEvent], now_s: float) -> None:
        """Have `events` counted once their rankings must have been recorded."""
        self._waiting.extend((now_s, event) for event in events)

    def settle(self, now_s: float) -> None:
        """Count what was taken SETTLE_S ago and before; raises what the log raises."""
        while self._waiting and self._waiting[0][0] <= now_s - SETTLE_S:
            ripe = list(islice(self._waiting, _LOOK_UP))
            events = [event for taken_s, event in ripe if taken_s <= now_s - SETTLE_S]
            self._look_up(events)
            for event in events:
                self._waiting.popleft()
                self._count(event)
        while len(self._routes) > _CACHED:
            self._routes.popitem(last=False)

    def _look_up(self, events: Sequence[BehaviorEvent]) -> None:
        named = {event.ranking_id for event in events if event.ranking_id is not None}
        missing = [ranking_id for ranking_id in named if ranking_id not in self._routes]
        if missing:
            self._routes.update(self._rankings.routes(missing))

    def _count(self, event: BehaviorEvent) -> None:
        known = _UNKNOWN
        if event.ranking_id is not None and event.ranking_id in self._routes:
            known = self._routes[event.ranking_id]
            self._routes.move_to_end(event.ranking_id)
        route, version, arms, placement = known
        OUTCOMES.labels(
            type=event.type.value,
            route=route if route in ROUTES else "unknown",
            model_version="none" if version is None else self._versions.of(version),
        ).inc()
        for arm in arms:
            EXPERIMENT_OUTCOMES.labels(self._shop, *self._arms.of(arm), event.type.value).inc()
        if placement is not None:
            name = self._placements.of(placement)
            PLACEMENT_OUTCOMES.labels(self._shop, name, event.type.value).inc()
