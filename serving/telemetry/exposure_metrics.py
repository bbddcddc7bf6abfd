"""Metrics of exposure: what floors hold and take, and how new what is shown is.

Exposure of a place is 1 / log2(1 + place), as NDCG discounts it. All are sums over rankings, so
that they add up over replicas; shares are ratios of them.
"""

import threading
from collections.abc import Collection

from prometheus_client import Counter, Gauge

from serving.telemetry.text_metrics import FirstPairs

FLOOR_RANKINGS = Counter(
    "vitrine_floor_rankings_total",
    "Rankings with an item of a floor on offer by outcome: lifted, nothing_owed (its items had "
    "their share), gave_way (they had not, and it had taken its price). Floor 'other': beyond the "
    "first 100 of a process.",
    ("shop", "floor", "outcome"),
)
FLOOR_EXPOSURE = Counter(
    "vitrine_floor_exposure_total",
    "Exposure in these rankings by part: shown (of the floor's items), target (what they were to "
    "have), all.",
    ("shop", "floor", "part"),
)
FLOOR_NDCG = Counter(
    "vitrine_floor_ndcg_total",
    "NDCG in these rankings by part: taken by lifts, as the scores have it, and allowed (the "
    "floor's price). Divided by the rankings it is their mean.",
    ("shop", "floor", "part"),
)
FLOOR_OWED = Gauge(
    "vitrine_floor_owed", "Exposure that a floor's items are owed, of all replicas; negative: had "
    "in advance; 0 once the floor is declared no more.", ("shop", "floor"),
    multiprocess_mode="livesum",
)  # fmt: skip
EXPOSURE = Counter(
    "vitrine_exposure_total",
    "Exposure in first pages, to the tenth place, by the items' age: new (first seen within 30 "
    "days), older, unknown; part shown: as it was given, offered: as the candidates would have it "
    "evenly.",
    ("shop", "age", "part"),
)
NEW_DAYS = 30
MOST_FLOORS = 100

FLOORS = FirstPairs(MOST_FLOORS)


class Owed:
    """FLOOR_OWED of a process. Its values cannot be taken away where processes share a folder, so
    what is declared no more is owed nothing."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def tell(self, shop: str, floor: str, owed: float) -> None:
        """What a floor is owed now."""
        with self._lock:
            self._told.add((shop, floor))
            FLOOR_OWED.labels(shop, floor).set(owed)

    def keep(self, declared: Collection[tuple[str, str]]) -> None:
        """Of all but these, shop and floor each, nothing is owed."""
        with self._lock:
            for pair in self._told.difference(declared):
                FLOOR_OWED.labels(*pair).set(0)
            self._told.intersection_update(declared)


OWED = Owed()
