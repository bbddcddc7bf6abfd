"""The bounds of the log, over SQLite, a real Redis and a real NATS of a few megabytes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from redis import Redis

from features.catalog.item import Item
from features.catalog.redis_store import RedisCatalog
from features.events.event import BehaviorEvent, EventType
from features.events.log import Erasure, EventLog, RankingRecord
from features.events.nats.log import NatsEventLog
from features.events.nats.space import NatsLogSpace
from features.events.redis_log import RedisEventLog
from features.events.space import LogSpace, RedisLogSpace, SqliteLogSpace
from features.events.sqlite_log import SqliteEventLog
from features.full import StoreFullError
from features.ingest.keeping.trim import Trimmer
from features.sqlite_file import SqliteFile
from tests.support.servers.nats_server import NatsServer
from tests.support.servers.redis_server import redis_server, skip_without_redis, used_memory

NOW_S = 1_700_000_000.0
MEGABYTE = 1024 * 1024
LOAD = 120  # rankings in two seconds, of 6.4 kB each


@pytest.fixture
def small(request: pytest.FixtureRequest) -> Iterator[Redis]:
    with (
        redis_server(skip_without_redis(request), max_memory="16mb") as port,
        Redis(port=port) as client,
    ):
        yield client


class Bounded(NamedTuple):
    """A log of at most four megabytes."""

    log: EventLog
    space: LogSpace


def opened(engine: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Bounded]:
    found: Bounded
    if engine == "sqlite":
        path = folder / "events.db"
        found = Bounded(SqliteEventLog(path), SqliteLogSpace(path, 4 * MEGABYTE))
    elif engine == "nats":
        nats: NatsServer = request.getfixturevalue("nats")
        settings = nats.anew(events_max_bytes=4 * MEGABYTE, rankings_max_bytes=4 * MEGABYTE)
        found = Bounded(NatsEventLog(settings), NatsLogSpace(settings))
    else:
        client: Redis = request.getfixturevalue("small")
        found = Bounded(RedisEventLog(client), RedisLogSpace(client, 4 * MEGABYTE))
    yield found
    found.log.close()
    found.space.close()


REDIS = pytest.param("redis", marks=pytest.mark.redis)


@pytest.fixture(params=["sqlite", REDIS, "nats"])
def bounded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bounded]:
    yield from opened(request.param, request, tmp_path)


@pytest.fixture(params=["sqlite", REDIS])
def trimmed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bounded]:
    """Those whose rankings nobody else bounds."""
    yield from opened(request.param, request, tmp_path)


def ranking(number: int, n_bytes: int = 6_400) -> RankingRecord:
    """One that takes `n_bytes` of the log: random features do not compress."""
    noise = np.random.default_rng(number).bytes(n_bytes - 300)
    features = np.frombuffer(noise, np.float16).reshape(1, -1)
    return RankingRecord(f"r{number}", NOW_S, "model", ("i1",), "u1", "s1", features=features)


def event(event_id: str, user_id: str = "u1") -> BehaviorEvent:
    return BehaviorEvent(event_id, EventType.VIEW, NOW_S, user_id, f"s-{user_id}", "i1", "q" * 300)


def rankings(log: EventLog) -> list[str]:
    return [record.ranking_id for _, record in log.read_rankings(0, 100_000)]


def write_without_end(log: EventLog) -> None:
    for start in range(0, 100_000, 20):
        log.append_rankings([ranking(start + n) for n in range(20)])


def trim(space: LogSpace, rounds: int = 1) -> None:
    trimmer = Trimmer(space, 1.0)
    for _ in range(rounds):
        trimmer.trim()


def fill(client: Redis, share: float) -> None:
    """Have the server's memory taken to `share`, by giving it no more."""
    client.config_set("maxmemory", int(used_memory(client) / share))


def test_above_its_bound_a_log_loses_its_oldest_rankings_and_nothing_else(trimmed: Bounded) -> None:
    log, space = trimmed
    log.append([event(f"e{n}") for n in range(200)])
    log.commit("ingest", log.last_seq())
    log.append_rankings([ranking(n) for n in range(1_000)])
    assert space.measure().excess > MEGABYTE
    trim(space)
    assert -MEGABYTE < space.measure().excess <= 0
    left = rankings(log)
    assert 300 < len(left) < 800
    assert left == [f"r{n}" for n in range(1_000 - len(left), 1_000)]
    assert len(log.read(0, 1_000)) == 200


def test_a_log_within_its_bound_loses_nothing(bounded: Bounded) -> None:
    log, space = bounded
    log.append_rankings([ranking(n) for n in range(300)])
    trim(space)
    assert len(rankings(log)) == 300


def test_trimming_keeps_up_with_sixty_rankings_a_second(bounded: Bounded) -> None:
    log, space = bounded
    for start in range(0, 30 * LOAD, LOAD):
        log.append_rankings([ranking(start + n) for n in range(LOAD)])
        assert space.fill() < 0.8
        trim(space)
        assert space.measure().excess <= 0
    assert rankings(log)[-1] == f"r{30 * LOAD - 1}"


def test_events_go_when_no_ranking_is_left_and_only_those_that_were_folded(
    trimmed: Bounded,
) -> None:
    log, space = trimmed
    log.append_rankings([ranking(1)])
    for start in range(0, 12_000, 1_000):
        log.append([event(f"e{start + n}", f"u{n}") for n in range(1_000)])
    folded = 1_000
    log.commit("ingest", folded)
    trim(space, 3)
    assert rankings(log) == []
    assert [seq for seq, _ in log.read(0, 20_000)] == list(range(folded + 1, 12_001))
    assert space.measure().excess > 0  # nobody folds: it grows, rather than lose an event


def test_an_erasure_that_was_not_carried_out_is_never_trimmed(bounded: Bounded) -> None:
    log, space = bounded
    log.append([event("e1"), event("e2", "u2")])
    erasure = log.erase_user("u1")
    log.append([event("e3", "u3")])
    while any(space.trim(MEGABYTE)):
        pass
    assert [seq for seq, _ in log.read(0, 10)] == [2, erasure, erasure + 1]
    log.commit("ingest", erasure - 1)
    while any(space.trim(MEGABYTE)):
        pass
    named = (("s-u1", NOW_S, True),)
    assert log.read(0, 1) == [(erasure, Erasure("u1", ("s-u1",), named=named))]


def test_who_asks_to_be_erased_twice_is_erased_with_all_sessions(bounded: Bounded) -> None:
    log = bounded.log
    log.append([event("e1")])
    log.erase_user("u1")
    log.erase_user("u1")
    entries = [entry for _, entry in log.read(0, 10)]
    named = (("s-u1", NOW_S, True),)
    assert entries == [Erasure("u1", ("s-u1",), named=named), Erasure("u1", ())]


def test_a_full_disk_is_told_writes_nothing_and_is_over_when_there_is_room(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "file.db", "CREATE TABLE rows (content BLOB)")

    def write(n_bytes: int) -> None:
        with file.write() as connection:
            connection.execute("INSERT INTO rows VALUES (zeroblob(?))", (n_bytes,))

    file.connection.execute("PRAGMA max_page_count = 20")
    with pytest.raises(StoreFullError):
        write(MEGABYTE)
    write(100)
    file.connection.execute("PRAGMA max_page_count = 2000")
    write(MEGABYTE)
    assert file.connection.execute("SELECT count(*) FROM rows").fetchone() == (2,)
    file.close()


@pytest.mark.redis
def test_the_estimate_is_what_the_log_takes_also_when_records_grow(small: Redis) -> None:
    log, space = RedisEventLog(small), RedisLogSpace(small, None)
    log.append_rankings([ranking(0)])
    log.append([event("e1")])
    space.measure()  # the scripts take memory, too
    for sizes in ((1_000, 400), (3_000, 800), (6_400, 400), (12_000, 150)):
        small.flushall()
        before = used_memory(small)
        for place, n_bytes in enumerate(sizes[:1] * sizes[1]):
            # The last third is twice as large: a sample of the oldest would not see it.
            grown = n_bytes * (2 if place > sizes[1] * 2 / 3 else 1)
            log.append_rankings([ranking(place, grown)])
        taken = used_memory(small) - before
        assert space.measure().log == pytest.approx(taken, rel=0.15)
    small.flushall()
    before = used_memory(small)
    log.append([event(f"{n:032}") for n in range(5_000)])
    taken = used_memory(small) - before
    assert space.measure().log == pytest.approx(taken, rel=0.15)


@pytest.mark.redis
def test_without_a_word_the_bound_is_six_tenths_of_the_server_s_memory(small: Redis) -> None:
    space = RedisLogSpace(small, None)
    assert space.measure().log_max == int(0.6 * 16 * MEGABYTE)
    small.config_set("maxmemory", 0)
    assert space.measure()[1:] == (None, space.measure().store, None)
    assert space.fill() == 0


@pytest.mark.redis
def test_the_log_gives_way_when_others_take_the_memory(small: Redis) -> None:
    log, space = RedisEventLog(small), RedisLogSpace(small, None)
    log.append_rankings([ranking(n) for n in range(300)])
    for number in range(300):
        small.set(f"somebody-{number}", bytes(10_000))
    assert space.measure().excess <= 0
    fill(small, 0.85)
    assert space.measure().log < 0.6 * int(space.measure().store_max or 0)
    trim(space)
    assert space.fill() <= 0.76
    assert 0 < len(rankings(log)) < 300


@pytest.mark.redis
def test_a_server_that_tells_its_memory_to_nobody_has_no_bound_but_the_log_s(small: Redis) -> None:
    small.acl_setuser("app", True, nopass=True, keys=["*"], commands=["+@all", "-info"])
    with Redis(port=small.get_connection_kwargs()["port"], username="app", password="") as client:
        space = RedisLogSpace(client, MEGABYTE)
        RedisEventLog(client).append_rankings([ranking(n) for n in range(300)])
        assert space.fill() == 0
        trim(space)
        assert space.measure().excess <= 0


@pytest.mark.redis
def test_a_full_server_takes_no_write_and_each_writer_tells_it(small: Redis) -> None:
    log, catalog = RedisEventLog(small), RedisCatalog(small)
    log.append([event("e1")])
    catalog.upsert([Item("i1", "Milk")])
    fill(small, 1.02)
    writes: list[Callable[[], object]] = [
        lambda: log.append([event("e2")]),
        lambda: log.append_rankings([ranking(1)]),
        lambda: log.erase_user("u1"),
        lambda: catalog.upsert([Item("i2", "Bread")]),
        lambda: catalog.edit([("i1", lambda item: item)]),
        lambda: catalog.delete("i1"),
    ]
    for write in writes:
        with pytest.raises(StoreFullError):
            write()
    assert [entry for _, entry in log.read(0, 10)] == [event("e1")]
    assert rankings(log) == []
    assert [item.item_id for item in catalog.all()] == ["i1"]


@pytest.mark.redis
def test_a_full_server_has_room_again_after_one_round(small: Redis) -> None:
    log, space = RedisEventLog(small), RedisLogSpace(small, None)
    log.append([event("unfolded")])
    with pytest.raises(StoreFullError):
        write_without_end(log)  # nobody trims
    fill(small, 1.02)
    with pytest.raises(StoreFullError):
        log.append([event("e2")])
    trim(space)
    assert space.fill() < 0.8
    log.append([event("e2")])
    log.append_rankings([ranking(0)])
    assert [entry for _, entry in log.read(0, 10)] == [event("unfolded"), event("e2")]
