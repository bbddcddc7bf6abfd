"""The contract of the controls, over SQLite and over a real Redis."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from features.controls.redis_store import RedisControls
from features.controls.sqlite_store import SqliteControls
from features.controls.store import KEPT_MINUTES, Controls
from features.store.backends import open_controls
from features.store.settings import StoreSettings

NOW = 29_000_000  # a minute
STOP = {"action": "stop", "arm": None, "why": "zu langsam, 茶"}


@pytest.fixture
def controls(settings: StoreSettings) -> Iterator[Controls]:
    opened = open_controls(settings)
    yield opened
    opened.close()


def test_a_document_comes_back_whole_and_the_last_one_stands(controls: Controls) -> None:
    controls.put("decision", "wider", {"action": "promote"})
    controls.put("decision", "wider", STOP)
    controls.put("decision", "ranker", {"action": "promote", "deep": [{"n": 1.5}]})
    assert controls.all("decision") == {
        "ranker": {"action": "promote", "deep": [{"n": 1.5}]},
        "wider": STOP,
    }


def test_a_swap_writes_only_over_what_was_read(controls: Controls) -> None:
    assert controls.swap("decision", "wider", None, STOP)
    assert not controls.swap("decision", "wider", None, {"action": "resume"})
    read = controls.all("decision")["wider"]
    assert controls.swap("decision", "wider", read, {"action": "resume", "share": 0.1})
    assert not controls.swap("decision", "wider", read, STOP)
    assert controls.all("decision") == {"wider": {"action": "resume", "share": 0.1}}
    controls.delete("decision", "wider")
    assert not controls.swap("decision", "wider", read, STOP)


def test_kinds_keep_their_keys_apart(controls: Controls) -> None:
    controls.put("decision", "wider", STOP)
    controls.put("reading", "wider", {"verdict": {"action": "promote"}})
    controls.delete("reading", "wider")
    assert controls.all("reading") == {}
    assert controls.all("decision") == {"wider": STOP}


def test_documents_are_put_together(controls: Controls) -> None:
    controls.put("decision", "wider", {"action": "promote"})
    controls.put_all("decision", {"wider": STOP, "ranker": {"action": "resume"}})
    controls.put_all("decision", {})
    assert controls.all("decision") == {"ranker": {"action": "resume"}, "wider": STOP}


def test_deleting_what_is_not_there_is_no_error(controls: Controls) -> None:
    controls.delete("decision", "wider")
    assert controls.all("decision") == {}


def test_another_replica_and_a_restart_see_what_was_written(settings: StoreSettings) -> None:
    one, other = open_controls(settings), open_controls(settings)
    one.put("decision", "wider", STOP)
    one.add("wider", NOW, {"new.rankings": 2})
    one.close()
    assert other.all("decision") == {"wider": STOP}
    assert other.read("wider", NOW) == {NOW: {"new.rankings": 2}}
    other.close()


def test_counts_of_a_minute_add_up_and_stand_by_name(controls: Controls) -> None:
    controls.add("wider", NOW, {"new.rankings": 2, "new.seconds": 0.25})
    controls.add("wider", NOW, {"new.rankings": 3, "new.fallbacks": 1})
    controls.add("wider", NOW + 1, {"new.rankings": 1})
    controls.add("ranker", NOW, {"new.rankings": 9})
    assert controls.read("wider", NOW) == {
        NOW: {"new.rankings": 5, "new.seconds": 0.25, "new.fallbacks": 1},
        NOW + 1: {"new.rankings": 1},
    }
    assert controls.read("wider", NOW + 1) == {NOW + 1: {"new.rankings": 1}}
    assert controls.read("wider", NOW + 2) == {}
    assert controls.read("nothing", 0) == {}


def test_replicas_that_add_at_once_are_all_counted(controls: Controls) -> None:
    threads = [
        threading.Thread(target=controls.add, args=("wider", NOW, {"new.rankings": 1}))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert controls.read("wider", NOW) == {NOW: {"new.rankings": 12}}


def test_old_minutes_are_forgotten(controls: Controls) -> None:
    controls.add("wider", NOW, {"new.rankings": 1})
    controls.add("wider", NOW + KEPT_MINUTES - 1, {"new.rankings": 1})
    assert list(controls.read("wider", 0)) == [NOW, NOW + KEPT_MINUTES - 1]
    controls.add("wider", NOW + KEPT_MINUTES, {"new.rankings": 1})
    assert list(controls.read("wider", 0)) == [NOW + KEPT_MINUTES - 1, NOW + KEPT_MINUTES]


def test_a_name_may_keep_its_counts_for_longer(controls: Controls) -> None:
    kept = 10 * KEPT_MINUTES
    for minute in (NOW, NOW + kept - 1):
        controls.add("labels/reviews", minute, {"Negative": 2}, kept=kept)
    assert list(controls.read("labels/reviews", 0)) == [NOW, NOW + kept - 1]
    controls.add("labels/reviews", NOW + kept, {"Negative": 2}, kept=kept)
    assert list(controls.read("labels/reviews", 0)) == [NOW + kept - 1, NOW + kept]


def test_several_minutes_are_counted_at_once(controls: Controls) -> None:
    controls.add("labels/reviews", NOW, {"Negative": 1})
    controls.add_all("labels/reviews", {NOW: {"Negative": 2}, NOW + 60: {"Positive": 3}})
    controls.add_all("labels/reviews", {})
    assert controls.read("labels/reviews", 0) == {NOW: {"Negative": 3}, NOW + 60: {"Positive": 3}}
    controls.add_all("labels/reviews", {NOW + 1: {"x": 1}, NOW + KEPT_MINUTES: {"x": 1}})
    assert list(controls.read("labels/reviews", 0)) == [NOW + 1, NOW + 60, NOW + KEPT_MINUTES]


def test_where_one_minute_cannot_be_written_none_is(tmp_path: Path) -> None:
    controls = SqliteControls(tmp_path / "controls.sqlite")
    with pytest.raises(sqlite3.IntegrityError):
        controls.add_all("labels/reviews", {NOW: {"good": 1}, NOW + 60: {"bad": float("nan")}})
    assert controls.read("labels/reviews", 0) == {}
    controls.close()


@pytest.mark.redis
def test_every_key_of_a_tally_expires(redis: Redis) -> None:
    RedisControls(redis).add("wider", NOW, {"new.rankings": 1})
    lives = [redis.ttl(key) for key in redis.keys("*")]  # type: ignore[union-attr]
    assert len(lives) == 2
    assert all(0 < life <= KEPT_MINUTES * 60 for life in lives)  # type: ignore[operator]
