"""Ingest over the embedded stores: every event counts once, late or repeated."""

import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pyarrow.parquet as pq

from features.behavior.state_rows import (
    FOLD_COLUMNS,
    KIND_COLUMNS,
    ORIGIN_COLUMNS,
    UNWANTED_COLUMNS,
    state_to_row,
)
from features.catalog.counters import DAY_S, HALF_LIFE, Counter
from features.catalog.item import Item
from features.definitions import COLUMNS, SESSION_VIEW, USER_VIEW
from features.events.event import MAX_AGE_S, EventType, sign_in
from features.ingest.__main__ import open_ingest
from features.ingest.keeping.erase import Eraser
from features.ingest.keeping.snapshots import SNAPSHOT_ROWS
from features.ingest.leader import lead
from features.ingest.loop import Ingest
from features.ingest.status import CONSUMER, IngestStatus, read_status
from features.store.feature_store import is_current, open_store
from features.store.offline import OfflineStore
from features.store.online import OnlineFeatures
from features.store.online_rows import entity_key
from tests.support.live_shop import Shop, assert_online_is, folded, visits, wait_until


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


def test_late_events_count_and_those_of_a_far_future_do_not(shop: Shop, ingest: Ingest) -> None:
    now_s = time.time()
    shop.log.append(
        [
            shop.event(at_s=now_s - 1),
            shop.event(at_s=now_s - 3_600),
            shop.event(at_s=now_s + 240),  # a clock a little ahead
            shop.event(at_s=now_s + 900),
        ]
    )
    ingest.drain()
    assert shop.user().counts == {"view": 3}
    status = ingest.status()
    assert (status.late_total, status.future_total) == (1, 1)
    assert status.events_total == 4
    assert shop.log.offset(CONSUMER) == 4


def test_what_is_accepted_is_folded_however_old_it_is(shop: Shop, ingest: Ingest) -> None:
    now_s = time.time()
    ages_s = [120 * DAY_S, 300 * DAY_S, MAX_AGE_S - 1]
    assert min(ages_s) > shop.settings.retention_s
    shop.log.append([shop.event(type=EventType.PURCHASE, at_s=now_s - age_s) for age_s in ages_s])
    ingest.drain()
    assert shop.user().counts == {"purchase": 3}
    assert shop.user().bought["i1"][:2] == (3, now_s - ages_s[-1])
    assert shop.online.read_items(["i1"]).counts[0, Counter.PURCHASE, HALF_LIFE["120d"]] > 1
    assert shop.log.last_seq() == len(ages_s)
    ingest.maintain()  # retention goes by arrival: the old events have just come
    assert len(shop.log.read(0, 10)) == len(ages_s)


def test_an_ingest_that_was_away_folds_what_was_accepted_meanwhile(shop: Shop) -> None:
    now_s = time.time()
    shop.log.append([shop.event(at_s=now_s - MAX_AGE_S + 1), shop.event(at_s=now_s)])
    store = shop.settings.store
    offline = OfflineStore(store.offline_path)
    for clock_s in (now_s - DAY_S, now_s + DAY_S):  # behind the ingress, and a day late
        shop.log.commit(CONSUMER, 0)
        ingest = Ingest(
            shop.log, shop.held, shop.online, shop.catalog, offline, Eraser(offline), shop.settings,
            clock=partial(float, clock_s),
        )  # fmt: skip
        ingest.drain()
        assert ingest.status().future_total == 0
    assert shop.user().counts == {"view": 2}


def test_a_sessions_first_clicks_without_a_user_are_kept(shop: Shop, ingest: Ingest) -> None:
    shop.log.append([shop.event(None), shop.event(None, session_id=None)])
    ingest.drain()
    assert shop.online.read_sessions(["s1"])["s1"].n_interactions == 1


def test_a_session_reaches_the_user_that_it_turns_out_to_be(shop: Shop) -> None:
    told = [*visits(shop, 60), *(replace(event, user_id=None) for event in visits(shop, 60, 1))]
    told.sort(key=lambda event: event.event_id)
    shop.log.append(told[:90])
    settings = shop.settings.model_copy(update={"batch_events": 7, "max_users": 2})
    with open_ingest(settings) as ingest:
        ingest.drain()
        shop.log.append([sign_in("u0", f"s{n}", time.time()) for n in range(15)])
        shop.log.append(told[90:])
        ingest.drain()
    assert_online_is(shop, folded(shop))
    sessions = shop.online.read_sessions([f"s{n}" for n in range(15)])
    assert {session.owner for session in sessions.values()} > {"u0"}
    shop.log.commit(CONSUMER, 33)  # as if it had crashed there
    with open_ingest(settings) as ingest:
        ingest.drain()
    assert_online_is(shop, folded(shop))


def test_a_store_of_an_earlier_version_gets_the_columns_that_it_lacks(shop: Shop) -> None:
    store = open_store(shop.settings.store)
    views = [store.get_feature_view(view) for view in (USER_VIEW, SESSION_VIEW)]
    for view in views:
        added = {*FOLD_COLUMNS, *UNWANTED_COLUMNS, *ORIGIN_COLUMNS, *KIND_COLUMNS}
        view.features = [field for field in view.features if field.name not in added]
    store.apply([*views])
    assert not is_current(store)
    with open_ingest(shop.settings) as ingest:
        shop.log.append([shop.event()])
        ingest.drain()
    assert is_current(open_store(shop.settings.store))
    reader = OnlineFeatures(open_store(shop.settings.store))
    assert reader.read_users(["u1"])["u1"].given.keys() == {"i1"}
    reader.close()


def test_rows_and_snapshots_of_an_earlier_version_are_read_and_added_to(shop: Shop) -> None:
    with open_ingest(shop.settings) as ingest:
        shop.log.append([shop.event(), shop.event("u2")])
        ingest.drain()
        ingest.maintain()
    before = shop.user()
    with closing(sqlite3.connect(shop.settings.store.online_path)) as online, online:
        online.execute(f"DELETE FROM vitrine_{USER_VIEW}")
        assert online.total_changes == 2
    row, at = state_to_row(before), datetime.fromtimestamp(before.last_s, UTC)
    values = {
        name: COLUMNS[USER_VIEW][name].write(value)
        for name, value in row.items()
        if name not in UNWANTED_COLUMNS
    }
    shop.online._rows.write(USER_VIEW, [(entity_key(USER_VIEW, "u1"), values, at, at)])
    folder = shop.settings.store.offline_path / USER_VIEW
    for path in folder.glob("*.parquet"):
        pq.write_table(pq.read_table(path).drop_columns([*UNWANTED_COLUMNS]), path)
    with open_ingest(shop.settings) as ingest:
        assert shop.user() == before
        shop.log.append([shop.event(type=EventType.HIDE)])
        ingest.drain()
        assert list(shop.user().hidden) == ["i1"]
        ingest.maintain()
        OfflineStore(shop.settings.store.offline_path).compact(USER_VIEW)
    hidden = [path for path in folder.glob("*.parquet") if path.stem != "empty"]
    (rows,) = [pq.read_table(path).to_pylist() for path in hidden]
    assert sorted(row["unwanted_items"] for row in rows) == [[], [], ["i1"]]


def test_snapshots_wait_while_events_do_and_then_come_in_parts(shop: Shop) -> None:
    folder = shop.settings.store.offline_path / USER_VIEW

    def snapshots() -> int:
        return sum(pq.read_metadata(path).num_rows for path in folder.glob("*.parquet"))

    shop.log.append([shop.event(f"u{n}") for n in range(SNAPSHOT_ROWS + 30)])
    settings = shop.settings.model_copy(update={"batch_events": SNAPSHOT_ROWS + 20})
    with open_ingest(settings) as ingest:
        ingest.step()
        assert snapshots() == 0  # ten events wait
        ingest.step()
        assert snapshots() == SNAPSHOT_ROWS
        ingest.maintain()
    assert snapshots() == SNAPSHOT_ROWS + 30


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


def test_an_event_is_online_within_a_second(shop: Shop, ingest: Ingest) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=lead, args=(ingest, stop))
    thread.start()
    lags_s = []
    for number in range(20):
        user = f"probe{number}"
        shop.log.append([shop.event(user), *visits(shop, 10, number)])
        appended_s = time.monotonic()
        wait_until(partial(shop.online.read_users, [user]), 5.0)
        lags_s.append(time.monotonic() - appended_s)
    stop.set()
    thread.join()
    assert max(lags_s) < 1.0, sorted(lags_s)
    assert ingest.status() != IngestStatus()
