"""A small shop over the embedded stores and its ingest; their fixtures."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from features.behavior.aggregator import Aggregator
from features.behavior.state import BehaviorState
from features.catalog.item import Item
from features.catalog.store import Catalog
from features.catalog.table import ItemTable
from features.events.event import BehaviorEvent, EventType
from features.events.held import HeldEvents
from features.events.log import EventLog
from features.ingest.__main__ import open_ingest
from features.ingest.loop import Ingest
from features.ingest.settings import IngestSettings
from features.store.backends import open_catalog, open_event_log, open_held_events
from features.store.feature_store import apply, open_store
from features.store.online import OnlineFeatures
from features.store.settings import RedisSettings, StoreSettings

ITEMS = [
    Item(f"i{n}", f"Item {n}", category=f"A > B{n % 5}", brand=f"b{n % 3}", price=1.0 + n)
    for n in range(50)
]


class Shop:
    """An empty shop: a store with a catalogue, its log, and settings for ingest."""

    def __init__(self, state: Path, redis_port: int | None = None) -> None:
        place = StoreSettings(state=state)
        if redis_port is not None:
            place = StoreSettings(state=state, kind="redis", redis=RedisSettings(port=redis_port))
        self.settings = IngestSettings(store=place)
        store = open_store(self.settings.store)
        apply(store, self.settings.store)
        self.log: EventLog = open_event_log(self.settings.store)
        self.held: HeldEvents = open_held_events(self.settings.store)
        self.catalog: Catalog = open_catalog(self.settings.store)
        self.catalog.upsert(ITEMS)
        self.online = OnlineFeatures(store)
        self._n = 0

    def event(self, user_id: str | None = "u1", **values: object) -> BehaviorEvent:
        self._n += 1
        usual: dict[str, object] = {
            "event_id": f"e{self._n}",
            "type": EventType.VIEW,
            "at_s": time.time() - 1,
            "session_id": "s1",
            "item_id": "i1",
        }
        return BehaviorEvent(user_id=user_id, **{**usual, **values})  # type: ignore[arg-type]

    def user(self, user_id: str = "u1") -> BehaviorState:
        return self.online.read_users([user_id])[user_id]

    def close(self) -> None:
        for opened in (self.log, self.held, self.catalog, self.online):
            opened.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """An empty one of the test's own."""
    shop = Shop(tmp_path)
    yield shop
    shop.close()


@pytest.fixture
def ingest(shop: Shop) -> Iterator[Ingest]:
    """Of `shop`."""
    with open_ingest(shop.settings) as ingest:
        yield ingest


def visits(shop: Shop, n: int, seed: int = 0) -> list[BehaviorEvent]:
    """`n` events of nine users in fifteen sessions within the last day."""
    rng = random.Random(seed)
    kinds = [EventType.VIEW, EventType.CLICK, EventType.PURCHASE, EventType.IMPRESSION]
    return [
        shop.event(
            f"u{rng.randrange(9)}",
            session_id=f"s{rng.randrange(15)}",
            item_id=f"i{rng.randrange(50)}",
            type=rng.choice(kinds),
            at_s=time.time() - rng.random() * 86_400,
            position=rng.randrange(1, 20),
        )
        for _ in range(n)
    ]


def folded(shop: Shop) -> Aggregator:
    """The log folded at once, in memory, with the items that the catalogue has now."""
    items = ItemTable(shop.catalog.all())
    fold = Aggregator(items.row_of, items.facts)
    for seq, entry in shop.log.read(0, 100_000):
        assert isinstance(entry, BehaviorEvent)
        if entry.held_seq is None:
            fold.apply(entry, seq)
    return fold


def assert_online_is(shop: Shop, fold: Aggregator) -> None:
    """The online store holds exactly the states of `fold`."""
    assert shop.online.read_users(fold.users) == fold.users
    assert shop.online.read_sessions(fold.sessions) == fold.sessions
    ids = [item.item_id for item in shop.catalog.all()]
    rows = shop.online.read_items(ids)
    np.testing.assert_array_equal(rows.counts, fold.items.counts[: len(ids)])
    np.testing.assert_array_equal(rows.at_s, fold.items.at_s[: len(ids)])


def wait_until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Return as soon as `condition` holds; it must within `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
