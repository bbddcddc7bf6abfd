"""Ingest over the embedded stores: every event counts once, late or repeated, through crashes."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from features.behavior.fold import Aggregator, BehaviorState
from features.catalog.item import Item
from features.catalog.store import Catalog
from features.catalog.table import ItemTable
from features.events.event import BehaviorEvent, EventType
from features.events.log import EventLog
from features.ingest.__main__ import main, open_ingest
from features.ingest.loop import CONSUMER, Ingest, IngestSettings, IngestStatus, read_status
from features.store.backends import open_catalog, open_event_log
from features.store.feature_store import apply, open_store
from features.store.online import OnlineFeatures
from features.store.settings import StoreSettings

ITEMS = [
    Item(f"i{n}", f"Item {n}", category=f"A > B{n % 5}", brand=f"b{n % 3}", price=1.0 + n)
    for n in range(50)
]


class Shop:
    """An empty shop: a store with a catalogue, its log, and settings for ingest."""

    def __init__(self, state: Path) -> None:
        self.settings = IngestSettings(store=StoreSettings(state=state))
        store = open_store(self.settings.store)
        apply(store, self.settings.store)
        self.log: EventLog = open_event_log(self.settings.store)
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
        for opened in (self.log, self.catalog, self.online):
            opened.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.close()


@pytest.fixture
def ingest(shop: Shop) -> Iterator[Ingest]:
    with open_ingest(shop.settings) as ingest:
        yield ingest


def visits(shop: Shop, n: int, seed: int = 0) -> list[BehaviorEvent]:
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
    """The log folded at once, in memory."""
    items = ItemTable(shop.catalog.all())
    fold = Aggregator(items.row_of, items.facts)
    for seq, entry in shop.log.read(0, 100_000):
        assert isinstance(entry, BehaviorEvent)
        fold.apply(entry, seq)
    return fold


def assert_online_is(shop: Shop, fold: Aggregator) -> None:
    assert shop.online.read_users(fold.users) == fold.users
    assert shop.online.read_sessions(fold.sessions) == fold.sessions
    ids = [item.item_id for item in shop.catalog.all()]
    rows = shop.online.read_items(ids)
    np.testing.assert_array_equal(rows.counts, fold.items.counts[: len(ids)])
    np.testing.assert_array_equal(rows.at_s, fold.items.at_s[: len(ids)])


def test_online_state_is_the_fold_of_the_log(shop: Shop, ingest: Ingest) -> None:
    shop.log.append(visits(shop, 300))
    assert ingest.drain() == 300
    assert_online_is(shop, folded(shop))
    assert shop.log.offset(CONSUMER) == shop.log.last_seq()


def test_a_repeated_event_changes_nothing(shop: Shop, ingest: Ingest) -> None:
    event = shop.event()
    shop.log.append([event])
    ingest.drain()
    before = shop.user()
    shop.log.append([event])
    ingest.drain()
    assert shop.user() == before


def test_a_batch_that_is_read_again_changes_nothing(shop: Shop) -> None:
    shop.log.append(visits(shop, 120))
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
    shop.log.commit(CONSUMER, 40)  # as if the crash came before the commit
    with open_ingest(shop.settings) as ingest:
        assert ingest.drain() == 80
    assert_online_is(shop, folded(shop))


def test_small_caches_lose_nothing(shop: Shop) -> None:
    settings = shop.settings.model_copy(
        update={"max_users": 1, "max_sessions": 1, "batch_events": 7}
    )
    shop.log.append(visits(shop, 150))
    with open_ingest(settings) as ingest:
        ingest.drain()
    assert_online_is(shop, folded(shop))


def test_late_events_count_and_too_old_or_future_ones_do_not(shop: Shop, ingest: Ingest) -> None:
    now_s = time.time()
    shop.log.append(
        [
            shop.event(at_s=now_s - 1),
            shop.event(at_s=now_s - 3_600),
            shop.event(at_s=now_s - shop.settings.retention_s - 60),
            shop.event(at_s=now_s + 240),  # a clock a little ahead
            shop.event(at_s=now_s + 900),
        ]
    )
    ingest.drain()
    assert shop.user().counts == {"view": 3}
    status = ingest.status()
    assert (status.late_total, status.too_old_total, status.future_total) == (1, 1, 1)
    assert status.events_total == 5
    assert shop.log.offset(CONSUMER) == 5


def test_a_sessions_first_clicks_without_a_user_are_kept(shop: Shop, ingest: Ingest) -> None:
    shop.log.append([shop.event(None), shop.event(None, session_id=None)])
    ingest.drain()
    assert shop.online.read_sessions(["s1"])["s1"].n_interactions == 1


def test_a_new_item_is_learned_without_a_restart(shop: Shop, ingest: Ingest) -> None:
    shop.log.append([shop.event(item_id="new")])
    ingest.drain()
    assert ingest.status().unknown_item_total == 1
    shop.catalog.upsert([Item("new", "New", category="Fresh")])
    shop.log.append([shop.event(item_id="new")])
    ingest.drain()
    assert ingest.status().unknown_item_total == 1
    assert shop.user().categories.keys() == {"Fresh"}
    assert shop.online.read_items(["new"]).at_s[0] > 0


def test_changed_items_and_the_status_are_published(shop: Shop, ingest: Ingest) -> None:
    shop.log.append([shop.event(item_id="i3"), shop.event(item_id="i7"), shop.event(item_id="i3")])
    ingest.drain()
    assert sorted(shop.log.changed_items_since(0).item_ids) == ["i3", "i7"]
    status = read_status(shop.log)
    assert status is not None
    assert status.applied_seq == shop.log.last_seq()
    assert 0 <= status.lag_s < 30


def test_a_store_that_fails_is_tried_again_and_nothing_is_lost(shop: Shop) -> None:
    with open_ingest(shop.settings) as ingest:
        shop.log.append(visits(shop, 60))
        stop = threading.Event()
        thread = threading.Thread(target=ingest.run, args=(stop,))
        blocker = _Blocked(ingest)
        thread.start()
        _wait_until(lambda: blocker.failures > 0)
        blocker.works = True
        _wait_until(lambda: shop.log.offset(CONSUMER) == shop.log.last_seq())
        stop.set()
        thread.join()
    assert_online_is(shop, folded(shop))


class _Blocked:
    """Stands in front of an ingest's online store and fails halfway through a flush at first."""

    def __init__(self, ingest: Ingest) -> None:
        self._online = ingest._working._online
        self.works, self.failures = False, 0
        ingest._working._online = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> object:
        if name == "write_sessions" and not self.works:
            self.failures += 1
            raise OSError("the online store is away")
        return getattr(self._online, name)


def test_a_second_ingest_on_the_same_folder_is_refused(shop: Shop, ingest: Ingest) -> None:
    with pytest.raises(BlockingIOError), open_ingest(shop.settings):
        pass


# Dies where it hurts most: the seventh batch is in the online store and not committed.
_DYING = """
import os, signal, sys
sys.modules["torch"] = None  # Feast imports it when it is there, which takes seconds
from pathlib import Path
from features.ingest.loop import IngestSettings
from features.ingest.__main__ import open_ingest
settings = IngestSettings.model_validate_json(Path(sys.argv[1]).read_text())
with open_ingest(settings) as ingest:
    commit, commits = ingest._log.commit, []
    def dying(*arguments):
        commits.append(arguments)
        if len(commits) == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        commit(*arguments)
    ingest._log.commit = dying
    ingest.drain()
"""


def test_kill_9_between_write_and_commit_loses_nothing_and_counts_nothing_twice(
    shop: Shop,
) -> None:
    path = shop.settings.store.state / "ingest.json"
    settings = shop.settings.model_copy(update={"batch_events": 10})
    path.write_text(settings.model_dump_json())
    shop.log.append(visits(shop, 200))
    root = Path(__file__).parents[3]
    died = subprocess.run([sys.executable, "-c", _DYING, str(path)], cwd=root, check=False)
    assert died.returncode == -signal.SIGKILL
    users = shop.online.read_users([f"u{n}" for n in range(9)]).values()
    assert shop.log.offset(CONSUMER) == 60
    assert max(user.applied_seq for user in users) == 70
    shop.log.append(visits(shop, 50, seed=1))
    with open_ingest(settings) as ingest:
        assert ingest.drain() == 190
    assert_online_is(shop, folded(shop))


def test_sigterm_ends_the_command_after_what_it_was_doing(shop: Shop) -> None:
    path = shop.settings.store.state / "ingest.json"
    path.write_text(shop.settings.model_dump_json())
    shop.log.append(visits(shop, 50))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    try:
        timer.start()
        assert main(["--settings", str(path)]) == 0
    finally:
        timer.join()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert shop.log.offset(CONSUMER) == 50


def _wait_until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_wrong_settings_end_the_process_with_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ingest.json"
    path.write_text('{"batch_event": 5}')
    assert main(["--settings", str(path)]) == 2


def test_erasure_leaves_no_trace_of_the_user_in_any_file(shop: Shop) -> None:
    user, session = "forget-me-4711", "visit-of-4711"
    shop.log.append(visits(shop, 40))
    shop.log.append([shop.event(user, session_id=session, at_s=time.time() - n) for n in range(30)])
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
        ingest.maintain()  # writes snapshots
        assert holding(shop.settings.store.state, user.encode())
        shop.log.erase_user(user)
        shop.log.append([shop.event("u1")])
        ingest.drain()
        ingest.maintain()
        assert ingest.status().erasures_total == 1
    assert shop.online.read_users([user]) == {}
    assert shop.online.read_sessions([session]) == {}
    for needle in (user, session):
        assert holding(shop.settings.store.state, needle.encode()) == []
    assert shop.user().n_interactions > 0


def holding(folder: Path, needle: bytes) -> list[Path]:
    """Files under `folder` that hold `needle`; Parquet is looked at decompressed."""
    import pyarrow.parquet as pq

    found = [p for p in folder.rglob("*") if p.is_file() and needle in p.read_bytes()]
    for path in folder.rglob("*.parquet"):
        if needle.decode() in str(pq.read_table(path).to_pydict()):
            found.append(path)
    return found


def test_a_user_who_comes_back_after_the_erasure_starts_anew(shop: Shop, ingest: Ingest) -> None:
    shop.log.append([shop.event(), shop.event()])
    shop.log.erase_user("u1")
    shop.log.append([shop.event(type=EventType.CLICK)])
    ingest.drain()
    assert shop.user().counts == {"click": 1}


def test_an_event_is_online_within_a_second(shop: Shop, ingest: Ingest) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=ingest.run, args=(stop,))
    thread.start()
    lags_s = []
    for number in range(20):
        user = f"probe{number}"
        shop.log.append([shop.event(user), *visits(shop, 10, number)])
        appended_s = time.monotonic()
        _wait_until(partial(shop.online.read_users, [user]), 5.0)
        lags_s.append(time.monotonic() - appended_s)
    stop.set()
    thread.join()
    assert max(lags_s) < 1.0, sorted(lags_s)
    assert ingest.status() != IngestStatus()
