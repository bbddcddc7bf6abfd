"""A shopper who asked to be forgotten is, everywhere."""

import time
from pathlib import Path

import pyarrow.parquet as pq

from features.events.event import EventType
from features.ingest.__main__ import open_ingest
from features.ingest.loop import Ingest
from tests.support.live_shop import Shop, visits


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
