"""The archive in object storage, as on a cluster whose volumes are small."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from features.catalog.item import Item
from features.events.event import BehaviorEvent, EventType
from features.events.sqlite_log import SqliteEventLog
from features.ingest.export import collected
from features.ingest.keeping.archiving import Archiver
from features.ingest.settings import IngestSettings
from features.ingest.status import CONSUMER
from features.store.archive import Archive
from features.store.backends import open_catalog
from features.store.settings import StoreSettings
from tests.support.servers.object_storage import object_storage

NOW_S = 1_700_000_000.0
DAY_S = 86_400.0


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with object_storage() as found:
        yield found


def test_events_are_trained_on_from_objects_after_the_log_forgot_them(
    url: str, tmp_path: Path
) -> None:
    store = StoreSettings(state=tmp_path, archive=url)
    now_s = NOW_S
    log = SqliteEventLog(store.log_path, lambda: now_s)
    archive = Archive(url)
    archiver = Archiver(log, archive, IngestSettings(store=store), clock=lambda: now_s)
    for day in range(3):
        now_s = NOW_S + day * DAY_S
        for user in ("ann", "bob"):
            event = BehaviorEvent(f"{user}-{day}", EventType.CLICK, now_s, user, None, "tea")
            log.append([event])
        log.commit(CONSUMER, log.last_seq())
        archiver.catch_up()
    while log.prune(now_s + 1):
        pass
    log.close()
    catalog = open_catalog(store)
    catalog.upsert([Item("tea", "Tea")])
    catalog.close()
    names = [f"{user}-{day}" for day in range(3) for user in ("ann", "bob")]
    assert collected(store).events["event_id"].tolist() == names
    archive.erase("ann", [])
    assert archive.events()["user_id"].tolist() == ["bob"] * 3
    archive.prune(NOW_S + DAY_S)
    assert archive.events()["event_id"].tolist() == ["bob-1", "bob-2"]


def test_storage_that_is_away_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    with object_storage() as url:
        archive = Archive(url)
        assert archive.place() is None
    with pytest.raises(OSError, match=r"\S"):
        archive.place()
