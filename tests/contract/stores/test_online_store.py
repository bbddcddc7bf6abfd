"""The contract of the online store, over Feast's SQLite and over Feast on a real Redis."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from feast import FeatureStore
from feast.data_source import PushMode

from features.behavior.aggregator import Aggregator
from features.behavior.matrix import Shopper
from features.behavior.state import BehaviorState
from features.behavior.state_rows import (
    BEHAVIOR_COLUMNS,
    AnyState,
    StateRow,
    state_to_row,
    states_to_columns,
)
from features.catalog.item import ItemFacts
from features.catalog.item_rows import ItemRows
from features.definitions import COLUMNS, JOIN_KEY, SESSION_VIEW, TTL_S
from features.events.event import OF_ANSWERS, BehaviorEvent, EventType
from features.store.feature_store import apply, open_store
from features.store.online import OnlineFeatures
from features.store.online_rows import entity_key
from features.store.settings import RedisSettings, StoreSettings

NOW_S = 1_700_000_000.0
ITEM_IDS = [f"i{n}" for n in range(40)]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> StoreSettings:
    state = tmp_path_factory.mktemp("state")
    if request.param == "sqlite":
        return StoreSettings(state=state)
    port: int = request.getfixturevalue("redis_port")
    return StoreSettings(state=state, kind="redis", redis=RedisSettings(port=port))


@pytest.fixture(scope="module")
def store(settings: StoreSettings) -> FeatureStore:
    store = open_store(settings)
    apply(store, settings)
    return store


@pytest.fixture
def online(store: FeatureStore) -> Iterator[OnlineFeatures]:
    online = OnlineFeatures(store)
    yield online
    online.close()


@pytest.fixture(scope="module")
def fold() -> Aggregator:
    """Shoppers u0..u3 and their sessions, with every kind of event."""
    facts = {
        item_id: ItemFacts(("A", f"A > {n % 3}"), f"Brand {n % 5}", float(n % 4) or float("nan"))
        for n, item_id in enumerate(ITEM_IDS)
    }
    fold = Aggregator({item_id: row for row, item_id in enumerate(ITEM_IDS)}, facts)
    rng = np.random.default_rng(7)
    kinds = sorted({*EventType} - OF_ANSWERS)
    for seq in range(1, 1200):
        user = int(rng.integers(4))
        kind = kinds[int(rng.integers(len(kinds)))]
        fold.apply(
            BehaviorEvent(
                f"e{seq}",
                kind,
                NOW_S - float(rng.integers(10**7)),
                f"u{user}",
                f"s{user}",
                None if kind is EventType.SEARCH else ITEM_IDS[int(rng.integers(40))],
                query=f"query {rng.integers(20)} żółć" if kind is EventType.SEARCH else None,
                position=int(rng.integers(1, 30)),
                dwell_ms=20_000,
            ),
            seq,
        )
    return fold


def assert_same(got: AnyState | None, wanted: BehaviorState) -> None:
    """Equal, and every map in the same order: the fold relies on it."""
    got = got.state() if isinstance(got, StateRow) else got
    assert got == wanted
    for name in ("recent", "bought", "categories", "brands", "queries", "given"):
        assert list(getattr(got, name)) == list(getattr(wanted, name))


def test_a_state_comes_back_without_loss(online: OnlineFeatures, fold: Aggregator) -> None:
    online.write_users(fold.users)
    online.write_sessions(fold.sessions)
    for number in range(4):
        shopper = online.read_shopper(f"u{number}", f"s{number}")
        assert_same(shopper.user, fold.users[f"u{number}"])
        assert_same(shopper.session, fold.sessions[f"s{number}"])
    assert fold.users["u3"].given
    users = online.read_users(["u0", "nobody", "u3"])
    assert list(users) == ["u0", "u3"]
    assert_same(users["u3"], fold.users["u3"])


def test_an_almost_empty_state_comes_back_too(online: OnlineFeatures) -> None:
    state = BehaviorState(first_s=NOW_S, last_s=NOW_S, counts={EventType.SEARCH: 1})
    online.write_users({"bare": state})
    assert_same(online.read_shopper("bare", None).user, state)


def test_unknown_ids_are_none(online: OnlineFeatures) -> None:
    assert online.read_shopper(None, None) == Shopper(None, None)
    assert online.read_shopper("never seen", "neither") == Shopper(None, None)
    assert online.read_shopper("", "") == Shopper(None, None)


def test_only_the_part_that_is_asked_for_is_known(online: OnlineFeatures, fold: Aggregator) -> None:
    online.write_users({"u1": fold.users["u1"]})
    online.write_sessions({"s1": fold.sessions["s1"]})
    assert online.read_shopper("u1", None).session is None
    assert online.read_shopper(None, "s1").user is None


def test_a_session_that_was_idle_beyond_its_ttl_is_not_known(online: OnlineFeatures) -> None:
    state = BehaviorState(first_s=NOW_S, last_s=NOW_S, counts={EventType.VIEW: 1})
    online.write_sessions({"idle": state})
    ttl_s = TTL_S[SESSION_VIEW]
    assert online.read_shopper(None, "idle", NOW_S + ttl_s - 1).session is not None
    assert online.read_shopper(None, "idle", NOW_S + ttl_s + 1).session is None


def test_a_row_replaces_the_older_one_even_when_its_newest_event_is_not_newer(
    online: OnlineFeatures,
) -> None:
    # A late event changes the state and not `last_s`: a store that compares times would drop it.
    before = BehaviorState(first_s=NOW_S, last_s=NOW_S, counts={EventType.VIEW: 1}, applied_seq=1)
    after = BehaviorState(
        first_s=NOW_S - 9, last_s=NOW_S, counts={EventType.VIEW: 2}, applied_seq=2
    )
    online.write_users({"late": before})
    online.write_users({"late": after})
    assert_same(online.read_users(["late"])["late"], after)


def test_who_folds_into_a_state_changes_nothing_that_a_ranking_reads(
    online: OnlineFeatures, fold: Aggregator
) -> None:
    online.write_users({"u0": fold.users["u0"]})
    assert online.read_shopper("u0", None).user is online.read_shopper("u0", None).user
    states = online.read_users(["u0"])
    states["u0"].recent["another"] = (NOW_S, 1.0)
    assert_same(online.read_shopper("u0", None).user, fold.users["u0"])
    online.write_users(states)
    assert_same(online.read_shopper("u0", None).user, states["u0"])


def test_item_counters_come_back_exactly(online: OnlineFeatures, fold: Aggregator) -> None:
    rows = np.arange(len(ITEM_IDS))
    written = ItemRows.taken_from(fold.items, rows, ITEM_IDS)
    online.write_items(written)
    read = online.read_items(["i3", "unknown", "i0"])
    np.testing.assert_array_equal(read.counts[0], written.counts[3])
    np.testing.assert_array_equal(read.counts[1], 0.0)
    assert read.at_s.tolist() == [written.at_s[3], 0.0, written.at_s[0]]
    assert read.first_s.tolist() == [written.first_s[3], np.inf, written.first_s[0]]
    assert read.applied_seq.tolist() == [written.applied_seq[3], 0, written.applied_seq[0]]


def test_a_deleted_user_is_gone_with_the_sessions_and_nobody_else_is(
    online: OnlineFeatures, fold: Aggregator
) -> None:
    online.write_users(fold.users)
    online.write_sessions(fold.sessions)
    online.delete_user("u0", ["s0", "never seen"])
    assert online.read_shopper("u0", "s0") == Shopper(None, None)
    kept = online.read_shopper("u1", "s1")
    assert_same(kept.user, fold.users["u1"])
    assert_same(kept.session, fold.sessions["s1"])


def test_finished_sessions_are_pruned(
    online: OnlineFeatures, settings: StoreSettings, fold: Aggregator
) -> None:
    if settings.kind == "redis":
        pytest.skip("Redis expires sessions by itself: see the next test")
    old = BehaviorState(first_s=NOW_S, last_s=NOW_S - 3 * TTL_S[SESSION_VIEW], counts={"view": 1})
    new = BehaviorState(first_s=NOW_S, last_s=NOW_S, counts={"view": 1})
    online.write_sessions({"old": old, "new": new})
    online.prune(NOW_S)
    assert list(online.read_sessions(["old", "new"])) == ["new"]


def test_redis_lets_each_kind_of_row_live_as_long_as_its_ttl(
    online: OnlineFeatures, settings: StoreSettings, fold: Aggregator
) -> None:
    if settings.kind == "sqlite":
        pytest.skip("SQLite rows are pruned: see the test before")
    from redis import Redis

    with Redis(**settings.redis.client_options()) as client:
        client.flushall()
        online.write_sessions({"s0": fold.sessions["s0"]})
        assert [client.ttl(key) for key in client.scan_iter()] == [int(TTL_S[SESSION_VIEW])]


def test_a_pushed_row_is_the_row_that_ingest_writes(
    store: FeatureStore, online: OnlineFeatures, fold: Aggregator
) -> None:
    columns = states_to_columns([fold.users["u2"]])
    frame = pd.DataFrame(
        {name: pd.Series(values, dtype=object) for name, values in columns.items()}
    )
    frame = frame.astype({"first_s": float, "last_s": float, "applied_seq": "int64"})
    frame["user_id"] = "pushed"
    frame["event_timestamp"] = pd.to_datetime(frame["last_s"], unit="s", utc=True)
    frame["created"] = datetime.now(UTC)
    store.push("user_behavior_push", frame, to=PushMode.ONLINE)
    assert_same(online.read_users(["pushed"])["pushed"], fold.users["u2"])


def test_a_row_of_columns_is_read_by_them_and_written_anew_in_one_piece(
    store: FeatureStore, online: OnlineFeatures, fold: Aggregator
) -> None:
    """As versions before wrote it, and as materialization does."""
    old = BehaviorState(first_s=NOW_S, last_s=NOW_S, counts={EventType.VIEW: 1}, applied_seq=1)
    for view, read, write in (
        ("user_behavior", online.read_users, online.write_users),
        ("session_behavior", online.read_sessions, online.write_sessions),
    ):
        row = state_to_row(old)
        values = {name: COLUMNS[view][name].write(row[name]) for name in BEHAVIOR_COLUMNS}
        at = datetime.fromtimestamp(NOW_S, UTC)
        store._get_provider().online_write_batch(
            store.config,
            store.get_feature_view(view),
            [(entity_key(view, "old"), values, at, at)],
            None,
        )
        assert_same(read(["old"])["old"], old)
        asked = ("old", None) if view == "user_behavior" else (None, "old")
        shopper = online.read_shopper(*asked)
        for found in (shopper.user, shopper.session):
            assert found is None or found.counts == old.counts
        assert (shopper.user is None) != (shopper.session is None)
        new = replace(old, counts={EventType.VIEW: 2}, applied_seq=2)
        write({"old": new})
        assert_same(read(["old"])["old"], new)
        columns = store.get_online_features(
            [f"{view}:last_s", f"{view}:counts"], [{JOIN_KEY[view]: "old"}]
        ).to_dict()
        assert columns["last_s"] == columns["counts"] == [None]


def test_a_reader_is_not_locked_out_by_a_writer(
    settings: StoreSettings, store: FeatureStore, online: OnlineFeatures, fold: Aggregator
) -> None:
    """Two stores, as two processes have them: one writes without a pause, one reads."""
    online.write_users(fold.users)
    writer = OnlineFeatures(open_store(settings))
    stop = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not stop.is_set():
            writer.write_users(fold.users)
            written += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(300):
            user = f"u{number % 4}"
            assert_same(online.read_shopper(user, None).user, fold.users[user])
    finally:
        stop.set()
        thread.join()
        writer.close()
    assert written > 5


def test_threads_may_share_a_reader(online: OnlineFeatures, fold: Aggregator) -> None:
    online.write_users(fold.users)
    failures: list[BaseException] = []

    def read(number: int) -> None:
        try:
            for _ in range(60):
                shopper = online.read_shopper(f"u{number}", None)
                assert_same(shopper.user, fold.users[f"u{number}"])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_deleted_id_is_in_no_file(
    settings: StoreSettings, online: OnlineFeatures, fold: Aggregator
) -> None:
    if settings.kind == "redis":
        pytest.skip("the files are the server's")
    state = fold.users["u0"]
    online.write_users({f"x{n}": state for n in range(50)} | {"forget-me-7731": state})
    online.delete_user("forget-me-7731")
    assert online.compact()
    assert holding(settings.state, b"forget-me-7731") == []


def holding(folder: Path, needle: bytes) -> list[Path]:
    """Files under `folder` that hold `needle`."""
    return [p for p in folder.rglob("*") if p.is_file() and needle in p.read_bytes()]
