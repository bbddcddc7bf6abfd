"""A shopper who asked to be forgotten is, everywhere."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.behavior.shares import AT_MOST
from features.catalog.counters import HALF_LIFE, Counter
from features.catalog.table import ItemTable
from features.controls.exports import Exports
from features.events.event import EventType
from features.ingest.__main__ import open_ingest
from features.ingest.loop import Ingest
from features.ingest.working_set import WorkingSet
from features.store.backends import open_controls
from tests.support.live_shop import ITEMS, Shop, visits


def test_erasure_leaves_no_trace_of_the_user_in_any_file(shop: Shop) -> None:
    user, session, store = "forget-me-4711", "visit-of-4711", shop.settings.store
    shop.log.append(visits(shop, 40))
    shop.log.append([shop.event(user, session_id=session, at_s=time.time() - n) for n in range(30)])
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
        ingest.maintain()  # writes snapshots
        copy = store.state / "analysis-online.db"  # of a data scientist: features/repo.py
        with (
            closing(sqlite3.connect(store.online_path)) as rows,
            closing(sqlite3.connect(copy)) as to,
        ):
            rows.backup(to)
        assert copy in holding(store.state, user.encode())
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


def test_what_a_shopper_chose_leaves_no_trace_while_a_replica_has_the_file_open(shop: Shop) -> None:
    user, store = "forget-me-4711", shop.settings.store
    with closing(open_controls(store)) as replica, open_ingest(shop.settings) as ingest:
        choice = {"personal": True, "profiling": True, "frozen": False, "at_s": time.time() - 9}
        replica.put(f"choices:{user[:2]}", user, choice)
        replica.put("choices", user[:2], {"change": "by a replica"})
        shop.log.append([shop.event(user)])
        ingest.drain()
        assert holding(store.state, user.encode())
        shop.log.erase_user(user)
        ingest.drain()
        assert replica.all(f"choices:{user[:2]}") == {}
        ingest.maintain()
        assert [
            path for path in holding(store.state, user.encode()) if "controls" in str(path)
        ] == []


def test_files_are_rewritten_also_where_ingest_began_anew_after_the_erasure(shop: Shop) -> None:
    user = "forget-me-4711"
    shop.log.append(visits(shop, 200))
    shop.log.append([shop.event(user, at_s=time.time() - n) for n in range(200)])
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
        ingest.maintain()
        shop.log.erase_user(user)
        ingest.drain()
    before = free_pages(shop)
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
        ingest.maintain()
    assert before > free_pages(shop) == 0


def test_an_export_that_cannot_be_read_keeps_ingest_from_nothing(
    shop: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken, foreign = tmp_path / "broken", tmp_path / "foreign"
    for folder in (broken, foreign):
        folder.mkdir()
    (broken / "rankings.parquet").write_bytes(b"PAR1 an export that was killed: forget-me-4711")
    pq.write_table(pa.table({"somebody's": [1]}), foreign / "events.parquet")
    with closing(open_controls(shop.settings.store)) as controls:
        for folder in (broken, foreign):
            Exports(controls).note(folder, 0.0)
    shop.log.append([shop.event("forget-me-4711"), shop.event("u1")])
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
        shop.log.erase_user("forget-me-4711")
        shop.log.append([shop.event("u2")])
        ingest.drain()
        assert ingest.status().erasures_total == 1
    assert set(shop.online.read_users(["forget-me-4711", "u2"])) == {"u2"}
    assert holding(broken, b"forget-me-4711") == []
    assert pq.read_table(foreign / "events.parquet").column_names == ["somebody's"]
    assert "an export that nobody can be erased from" in caplog.text


def test_nothing_is_rewritten_where_nobody_was_erased(shop: Shop) -> None:
    shop.log.append(visits(shop, 200))
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
        assert not ingest.status().to_compact


def test_an_erased_shopper_takes_back_what_items_were_given(shop: Shop, ingest: Ingest) -> None:
    now_s = time.time()
    shop.log.append([shop.event(f"u{n}", session_id=f"s{n}", at_s=now_s - 60) for n in range(4)])
    shop.log.append(
        [shop.event("flooder", session_id="f", at_s=now_s - 50 + n / 10) for n in range(300)]
    )
    ingest.drain()
    interest = (Counter.INTEREST, [HALF_LIFE[name] for name in ("7d", "30d", "120d")])
    flooded = shop.online.read_items(["i1"]).counts[0][interest]
    np.testing.assert_allclose(flooded, 4 + AT_MOST[Counter.INTEREST], rtol=1e-3)
    changes = shop.log.changed_items_since(0).change
    shop.log.erase_user("flooder")
    ingest.drain()
    left = shop.online.read_items(["i1"]).counts
    np.testing.assert_allclose(left[0][interest], 4, rtol=1e-3)
    assert shop.log.changed_items_since(changes).item_ids == ["i1"]


def test_an_erasure_that_is_carried_out_twice_takes_nothing_twice(shop: Shop) -> None:
    shop.log.append([shop.event("u1"), shop.event("u2"), shop.event("u2", session_id="s2")])
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
    kept = shop.online.read_users(["u2"])
    shop.log.erase_user("u2")
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
    counts = shop.online.read_items(["i1"]).counts.tolist()
    shop.online.write_users(kept)  # as if it had crashed with the items written
    working = WorkingSet(shop.online, ItemTable(ITEMS), 10, 10)
    working.forget("u2", [], shop.log.last_seq())
    assert shop.online.read_items(["i1"]).counts.tolist() == counts
    assert shop.online.read_users(["u2"]) == {}


def holding(folder: Path, needle: bytes) -> list[Path]:
    """Files under `folder` that hold `needle`; Parquet is looked at decompressed."""
    files = [p for p in folder.rglob("*") if p.is_file() and needle in p.read_bytes()]
    for path in folder.rglob("*.parquet"):
        if needle.decode() in str(pq.read_table(path).to_pydict()):
            files.append(path)
    return files


def test_a_user_who_comes_back_after_the_erasure_starts_anew(shop: Shop, ingest: Ingest) -> None:
    shop.log.append([shop.event(), shop.event()])
    shop.log.erase_user("u1")
    shop.log.append([shop.event(type=EventType.CLICK)])
    ingest.drain()
    assert shop.user().counts == {"click": 1}


def free_pages(shop: Shop) -> int:
    """Of the log's file, that deleted rows have left."""
    with closing(sqlite3.connect(shop.settings.store.log_path)) as log:
        pages: int = log.execute("PRAGMA freelist_count").fetchone()[0]
    return pages
