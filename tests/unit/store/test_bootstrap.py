"""Filling a store from a data set, and what a data scientist finds in it."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from feast import FeatureStore

from features.behavior.aggregator import Aggregator
from features.behavior.replay import item_table
from features.catalog.counters import DAY_S
from features.datasets.columns import ITEM_COLUMNS, conform
from features.datasets.event_rows import EVENT_COLUMNS, behavior_events
from features.datasets.format import Dataset, DatasetInfo, write_dataset
from features.definitions import RANKER
from features.events.event import BehaviorEvent, EventType
from features.ingest.__main__ import open_ingest
from features.ingest.keeping.erase import Eraser, erase_in_dataset
from features.ingest.settings import IngestSettings
from features.store.backends import open_catalog, open_event_log
from features.store.bootstrap import BootstrapError, bootstrap
from features.store.feature_store import open_store
from features.store.offline import OfflineStore
from features.store.online import OnlineFeatures
from features.store.settings import StoreSettings

NOW_S = time.time() // DAY_S * DAY_S  # a midnight


def history(n: int = 600) -> Dataset:
    """120 days of purchases by u0..u5, ending just before NOW_S."""
    rng = np.random.default_rng(3)
    at = np.sort(NOW_S - 1 - rng.random(n) * 120 * DAY_S)
    items = pd.DataFrame(
        {
            "item_id": [f"i{k}" for k in range(30)],
            "title": [f"Item {k}" for k in range(30)],
            "category": [f"A > {k % 4}" for k in range(30)],
            "brand": [f"b{k % 3}" for k in range(30)],
            "price": 1.0 + np.arange(30),
        }
    )
    users = rng.integers(6, size=n)
    events = pd.DataFrame(
        {
            "event_id": [f"h{k}" for k in range(n)],
            "type": ["purchase"] * n,
            "at": at,
            "user_id": [f"u{user}" for user in users],
            "session_id": [
                f"s{int(day)}-{user}" for day, user in zip(at // DAY_S, users, strict=True)
            ],
            "item_id": [f"i{k}" for k in rng.integers(30, size=n)],
        }
    )
    return Dataset(
        DatasetInfo(name="test"), conform(items, ITEM_COLUMNS), conform(events, EVENT_COLUMNS)
    )


def folded(dataset: Dataset, before_s: float = np.inf) -> Aggregator:
    items = item_table(dataset)
    fold = Aggregator(items.row_of, items.facts)
    for seq, event in enumerate(behavior_events(dataset.events), 1):
        if event.at_s <= before_s:
            fold.apply(event, seq)
    for state in (*fold.users.values(), *fold.sessions.values()):
        state.applied_seq = 0
    return fold


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return history()


@pytest.fixture(scope="module")
def settings(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> StoreSettings:
    settings = StoreSettings(state=tmp_path_factory.mktemp("state"))
    report = bootstrap(dataset, settings, NOW_S)
    assert (report.items, report.events, report.users) == (30, 600, 6)
    return settings


@pytest.fixture(scope="module")
def store(settings: StoreSettings) -> FeatureStore:
    return open_store(settings)


@pytest.fixture
def online(store: FeatureStore) -> Iterator[OnlineFeatures]:
    online = OnlineFeatures(store)
    yield online
    online.close()


def test_online_rows_are_the_fold_of_the_history(online: OnlineFeatures, dataset: Dataset) -> None:
    fold = folded(dataset)
    assert online.read_users(fold.users) == fold.users
    ids = dataset.items["item_id"].tolist()
    rows = online.read_items(ids)
    np.testing.assert_array_equal(rows.counts, fold.items.counts)
    assert not rows.applied_seq.any()


def test_only_sessions_that_may_go_on_are_online(online: OnlineFeatures, dataset: Dataset) -> None:
    fold = folded(dataset)
    alive = {key for key, state in fold.sessions.items() if state.last_s >= NOW_S - DAY_S}
    assert alive
    assert set(online.read_sessions(fold.sessions)) == alive


def test_what_guests_did_before_they_signed_in_is_their_users(
    dataset: Dataset, tmp_path: Path
) -> None:
    events = dataset.events.copy()
    events.loc[events.index % 3 == 0, "user_id"] = ""
    guests = replace(dataset, events=events)
    settings = StoreSettings(state=tmp_path)
    bootstrap(guests, settings, NOW_S)
    online, fold = OnlineFeatures(open_store(settings)), folded(guests)
    assert online.read_users(fold.users) == fold.users
    sessions = online.read_sessions(fold.sessions)
    assert sessions == {key: fold.sessions[key] for key in sessions}
    rows = online.read_items(dataset.items["item_id"].tolist())
    np.testing.assert_array_equal(rows.counts, fold.items.counts)
    online.close()


def test_the_catalogue_is_filled(settings: StoreSettings) -> None:
    catalog = open_catalog(settings)
    assert len(catalog) == 30
    catalog.close()


@pytest.mark.filterwarnings("ignore:Downcasting object dtype arrays:FutureWarning")
def test_point_in_time_rows_are_the_newest_snapshot_and_never_the_future(
    store: FeatureStore, dataset: Dataset
) -> None:
    """For each asked time: exactly the fold of the days that were over at the user's last event."""
    asked = [(f"u{k % 6}", NOW_S - day * DAY_S) for k, day in enumerate(range(1, 50, 3))]
    asked.append(("nobody", NOW_S))
    entities = pd.DataFrame(
        {
            "user_id": [user for user, _ in asked],
            "session_id": "none",
            "event_timestamp": [datetime.fromtimestamp(at_s, UTC) for _, at_s in asked],
        }
    )
    service = store.get_feature_service("ranker_v3")
    rows = store.get_historical_features(entities, service, full_feature_names=True).to_df()
    assert len(rows) == len(asked)
    for row in rows.to_dict("records"):
        at_s = row["event_timestamp"].timestamp()
        if row["user_id"] == "nobody":
            assert np.isnan(row["user_behavior__last_s"])
            continue
        state = folded(dataset, at_s).users[row["user_id"]]
        assert row["user_behavior__last_s"] == state.last_s <= at_s
        assert list(row["user_behavior__bought_items"]) == list(state.bought)
        assert sum(row["user_behavior__counts"]) == state.n_interactions


# Feast fills gaps with a pandas call that pandas is about to change.
@pytest.mark.filterwarnings("ignore:Downcasting object dtype arrays:FutureWarning")
def test_item_snapshots_are_joined_by_time_too(store: FeatureStore) -> None:
    moments = [NOW_S - 30 * DAY_S, NOW_S]
    entities = pd.DataFrame(
        {
            "item_id": ["i1", "i1"],
            "event_timestamp": [datetime.fromtimestamp(at_s, UTC) for at_s in moments],
        }
    )
    rows = store.get_historical_features(
        entities, ["item_behavior:last_s", "item_behavior:counts"]
    ).to_df()
    for row in rows.to_dict("records"):
        assert row["last_s"] <= row["event_timestamp"].timestamp()
        assert len(row["counts"]) == 25


def test_the_ranker_reads_the_whole_user_and_the_whole_session(store: FeatureStore) -> None:
    views = [view.name for view in store.get_feature_service(RANKER).feature_view_projections]
    assert views == ["user_behavior", "session_behavior"]


def test_live_events_continue_the_history(dataset: Dataset, tmp_path: Path) -> None:
    settings = StoreSettings(state=tmp_path)
    bootstrap(dataset, settings, NOW_S)
    log = open_event_log(settings)
    log.append([BehaviorEvent("live", EventType.PURCHASE, NOW_S, "u1", "s-live", "i2")])
    with open_ingest(IngestSettings(store=settings)) as ingest:
        ingest.drain()
        online = OnlineFeatures(open_store(settings))
        wanted = folded(dataset).users["u1"].n_interactions + 1
        assert online.read_users(["u1"])["u1"].n_interactions == wanted
        online.close()
    with pytest.raises(BootstrapError, match="live events"):
        bootstrap(dataset, settings, NOW_S)
    log.close()


def test_a_data_set_without_events_fills_the_catalogue(dataset: Dataset, tmp_path: Path) -> None:
    bare = Dataset(dataset.info, dataset.items, dataset.events.iloc[:0])
    report = bootstrap(bare, StoreSettings(state=tmp_path), NOW_S)
    assert (report.items, report.events, report.snapshots) == (30, 0, 0)


def test_an_erased_user_is_in_no_snapshot_and_in_no_imported_event(
    dataset: Dataset, tmp_path: Path
) -> None:
    settings = StoreSettings(state=tmp_path / "state")
    bootstrap(dataset, settings, NOW_S)
    folder = tmp_path / "data"
    write_dataset(dataset, folder)
    Eraser(OfflineStore(settings.offline_path), [folder]).erase("u2", ["s1"])
    erase_in_dataset(folder, "u2", ["s1"])  # a second time is no error
    for path in [*settings.offline_path.rglob("*.parquet"), folder / "events.parquet"]:
        table = pd.read_parquet(path)
        assert "user_id" not in table or "u2" not in set(table["user_id"])
    assert (
        len(pd.read_parquet(folder / "events.parquet")) == (dataset.events["user_id"] != "u2").sum()
    )


def test_what_another_shopper_did_in_the_same_session_stays_in_a_data_set(
    dataset: Dataset, tmp_path: Path
) -> None:
    first = dataset.events.iloc[:4].assign(
        user_id=["", "u8", "u9", ""], session_id="shared", at=[1.0, 2.0, 3.0, 4.0],
        event_id=["guest-1", "eight", "nine", "guest-2"],
    )  # fmt: skip
    write_dataset(Dataset(dataset.info, dataset.items, first), tmp_path)
    erase_in_dataset(tmp_path, "u9", ["shared"])
    assert pd.read_parquet(tmp_path / "events.parquet")["event_id"].tolist() == ["guest-1", "eight"]


def test_a_repeated_erasure_leaves_the_same_of_a_data_set_as_one_that_did_not_break_off(
    dataset: Dataset, tmp_path: Path
) -> None:
    names = ["guest-1", "eight", "guest-2", "more", "guest-3", "nine", "guest-4"]
    users = ["", "u8", "", "u8", "", "u9", ""]
    first = dataset.events.iloc[:7].assign(
        user_id=users, session_id="shared", at=[*map(float, range(7))], event_id=names
    )
    write_dataset(Dataset(dataset.info, dataset.items, first), tmp_path)
    keys = ["event_id", "user_id", "session_id", "at"]
    first[keys].to_parquet(tmp_path / "rankings.parquet")
    in_the_way = tmp_path / ".rankings.parquet"
    in_the_way.mkdir()  # so the second of both cannot be written
    named = [("shared", 5.0, True)]
    with pytest.raises(OSError, match="rankings"):
        erase_in_dataset(tmp_path, "u9", ["shared"], named=named)
    in_the_way.rmdir()
    erase_in_dataset(tmp_path, "u9", ["shared"], named=named)
    for name in ("events.parquet", "rankings.parquet"):
        left = pd.read_parquet(tmp_path / name)["event_id"].tolist()
        assert left == ["guest-1", "eight", "guest-2", "more"]
