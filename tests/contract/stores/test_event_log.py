"""The contract of the event log, over SQLite, a real Redis and a real NATS."""

import multiprocessing
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from redis import Redis

from features.events.event import BehaviorEvent, EventType
from features.events.exposure import Exposure
from features.events.log import AppendResult, Erasure, EventLog, RankingRecord, RankingRoute
from features.events.nats.log import NatsEventLog
from features.events.redis_log import RedisEventLog
from features.events.sqlite_log import SqliteEventLog
from features.ingest.export import erased_since
from tests.support.servers.nats_server import NatsServer

NOW_S = 1_700_000_000.0


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis), "nats"])
def log(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[EventLog]:
    opened: EventLog
    if request.param == "sqlite":
        opened = SqliteEventLog(tmp_path / "events.db", clock)
    elif request.param == "nats":
        server: NatsServer = request.getfixturevalue("nats")
        opened = NatsEventLog(server.anew(), clock)
    else:
        client = Redis(port=request.getfixturevalue("redis_port"))
        client.flushall()
        opened = RedisEventLog(client, clock)
    yield opened
    opened.close()


def event(
    event_id: str, user_id: str | None = "u1", session_id: str | None = "s1"
) -> BehaviorEvent:
    return BehaviorEvent(
        event_id, EventType.VIEW, NOW_S - 5, user_id, session_id, "i1", "milk", "r1", 3, 2.5, 700
    )


def ranking(ranking_id: str, user_id: str | None = "u1", session_id: str = "s1") -> RankingRecord:
    return RankingRecord(
        ranking_id,
        NOW_S,
        "model",
        ("i1", "i2"),
        user_id,
        session_id,
        "milk",
        "7",
        np.array([0.5, -1.0], np.float32),
        np.array([1.0, 0.25], np.float32),
        np.array([[1.0, np.nan, 3.0], [4.0, 5.0, 6.0]], np.float16),
    )


def ids(log: EventLog) -> list[str]:
    return [entry.event_id for _, entry in log.read(0, 100) if isinstance(entry, BehaviorEvent)]


def test_an_event_that_is_there_already_takes_no_position(log: EventLog) -> None:
    log.append([event("e1")])
    log.append([event("e1"), event("e1")])
    assert log.last_seq() == log.read(0, 10)[-1][0]  # where a reader is done
    log.append([event("e1"), event("e2")])
    assert [seq for seq, _ in log.read(0, 10)] == [1, 2]


def test_an_event_comes_back_as_it_went_in(log: EventLog) -> None:
    bare = BehaviorEvent("e2", EventType.SEARCH, NOW_S)
    log.append([event("e1"), bare])
    assert [entry for _, entry in log.read(0, 10)] == [event("e1"), bare]


def test_positions_increase_and_reading_goes_on_behind_one(log: EventLog) -> None:
    log.append([event(f"e{n}") for n in range(5)])
    entries = log.read(0, 100)
    positions = [seq for seq, _ in entries]
    assert positions == sorted(set(positions))
    assert positions[0] >= 1
    assert log.last_seq() == positions[-1]
    assert log.read(positions[1], 2) == entries[2:4]
    assert log.read(positions[-1], 10) == []


def test_a_repeated_event_id_changes_nothing(log: EventLog) -> None:
    assert log.append([event("e1"), event("e2")]) == AppendResult(2, 0)
    assert log.append([event("e2"), event("e3"), event("e3")]) == AppendResult(1, 2)
    assert ids(log) == ["e1", "e2", "e3"]


def test_an_empty_batch_is_no_error(log: EventLog) -> None:
    assert log.append([]) == AppendResult(0, 0)
    assert log.last_seq() == 0


def test_waiting_ends_with_the_next_append_and_else_with_the_time(log: EventLog) -> None:
    assert not log.wait(0, 0.03)
    writer = threading.Timer(0.1, lambda: log.append([event("e1")]))
    writer.start()
    started_s = time.monotonic()
    assert log.wait(0, 5.0)
    assert time.monotonic() - started_s < 2.0
    writer.join()


def test_a_consumer_keeps_its_place_and_its_status(log: EventLog) -> None:
    assert log.offset("ingest") == 0
    assert log.status("ingest") is None
    log.commit("ingest", 7, status=b"fine")
    log.commit("ingest", 9)
    assert log.offset("ingest") == 9
    assert log.offset("other") == 0
    assert log.status("ingest") == b"fine"


def test_changed_items_are_told_once_in_the_order_of_their_last_change(log: EventLog) -> None:
    log.commit("ingest", 1, ["a", "b"])
    first = log.changed_items_since(0)
    assert sorted(first.item_ids) == ["a", "b"]
    log.commit("ingest", 2, ["b", "c"])
    assert sorted(log.changed_items_since(first.change).item_ids) == ["b", "c"]
    assert log.changed_items_since(0).item_ids[0] == "a"
    last = log.changed_items_since(0).change
    assert log.changed_items_since(last) == (last, [])


def test_changed_items_come_in_pieces_without_loss(log: EventLog) -> None:
    for seq in range(5):
        log.commit("ingest", seq, [f"a{seq}", f"b{seq}"])
    change, found = 0, []
    while piece := log.changed_items_since(change, limit=3).item_ids:
        found += piece
        change = log.changed_items_since(change, limit=3).change
    assert sorted(found) == sorted(f"{name}{seq}" for name in "ab" for seq in range(5))


def test_an_erased_user_is_gone_and_the_erasure_stands_in_order(log: EventLog) -> None:
    guest = event("guest", user_id=None, session_id="s1")
    log.append([event("e1"), event("other", "u2", "s2"), guest])
    log.append_rankings([ranking("r1"), ranking("r2", "u2", "s2"), ranking("r3", None, "s1")])
    seq = log.erase_user("u1")
    log.append([event("e2")])
    entries = [entry for _, entry in log.read(0, 10)]
    assert ids(log) == ["other", "e2"]
    named = (("s1", NOW_S - 5, True), ("s1", NOW_S, True))  # the first event, and the ranking
    assert entries[1] == Erasure("u1", ("s1",), named=named)
    assert log.read(0, 10)[1][0] == seq
    assert [record.ranking_id for _, record in log.read_rankings(0, 10)] == ["r2"]


def test_an_erasure_of_the_last_hour_leaves_what_was_before_it(log: EventLog, clock: Clock) -> None:
    clock.now_s = long_ago_s = NOW_S - 7_200
    log.append([replace(event("old"), at_s=long_ago_s)])
    log.append([replace(event("elsewhere", "u1", "s0"), at_s=long_ago_s)])
    log.append_rankings([replace(ranking("r-old"), at_s=long_ago_s)])
    clock.now_s = NOW_S
    guest = event("guest", user_id=None)
    log.append([event("new"), guest, event("other", "u2", "s2"), event("no-session", "u1", None)])
    log.append_rankings([ranking("r-new"), ranking("r-other", "u2", "s2")])
    seq = log.erase_user("u1", NOW_S - 3_600)
    assert ids(log) == ["old", "elsewhere", "other"]
    ((at, erasure),) = log.read(seq - 1, 1)
    named = (("s1", NOW_S - 7_200, True), ("s1", NOW_S, True))
    assert (at, erasure) == (seq, Erasure("u1", ("s1",), NOW_S - 3_600, named))
    assert [each.ranking_id for _, each in log.read_rankings(0, 10)] == ["r-old", "r-other"]
    log.finish_erasure(seq)
    log.erase_user("u1")  # all of it, also over what a reset has left
    assert ids(log) == ["other"]


def test_an_erasure_leaves_what_another_shopper_did_in_the_same_session(
    log: EventLog, clock: Clock
) -> None:
    told = [("guest-1", None), ("first", "u2"), ("guest-2", None), ("more", "u2"),
            ("guest-3", None), ("own", "u1"), ("guest-4", None)]  # fmt: skip
    for place, (name, user) in enumerate(told):
        at_s = clock.now_s = NOW_S + 60.0 * place
        log.append([replace(event(name, user), at_s=at_s)])
        log.append_rankings([replace(ranking(f"r-{name}", user), at_s=at_s)])
    log.erase_user("u1")
    # What was done between the two may be of either.
    assert ids(log) == ["guest-1", "first", "guest-2", "more"]
    left = [record.ranking_id for _, record in log.read_rankings(0, 20)]
    assert left == ["r-guest-1", "r-first", "r-guest-2", "r-more"]
    log.erase_user("u2")
    assert ids(log) == []
    assert log.read_rankings(0, 20) == []


@pytest.mark.redis
def test_an_erasure_in_redis_that_broke_off_leaves_what_an_unbroken_one_leaves(
    redis_port: int,
) -> None:
    """Wherever it broke off; the whole one deletes 7 events and 7 rankings."""
    for deletions in range(15):
        client = Redis(port=redis_port)
        client.flushall()
        log = RedisEventLog(client, Clock())
        users = ["u2", "", "u2", "", "u1", "", "u1", "", "u2", "", "u1"]
        for place, user in enumerate(users):
            at_s, name = NOW_S + place, user or None
            log.append([replace(event(f"{place}", name), at_s=at_s)])
            log.append_rankings([replace(ranking(f"{place}", name), at_s=at_s)])
        broken = RedisEventLog(cast(Redis, Breaking(client, deletions)), Clock())
        if deletions < 14:
            with pytest.raises(ConnectionError):
                broken.erase_user("u1")
        broken.erase_user("u1")
        assert ids(log) == ["0", "1", "2", "8"], deletions
        assert [each.ranking_id for _, each in log.read_rankings(0, 99)] == ["0", "1", "2", "8"]
        log.close()


class Breaking:
    """A client of Redis that deletes some entries, fails once, and then works."""

    def __init__(self, client: Redis, deletions: int) -> None:
        self._client, self._left = client, deletions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def register_script(self, script: str) -> Any:
        run = self._client.register_script(script)
        if "XDEL" not in script or "XADD" in script:
            return run

        def delete(*arguments: Any) -> Any:
            self._left -= 1
            if self._left == -1:
                raise ConnectionError("away")
            return run(*arguments)

        return delete


def test_a_finished_erasure_names_nobody_and_its_position_is_not_used_again(log: EventLog) -> None:
    log.append([event("e1")])
    seq = log.erase_user("u1")
    log.finish_erasure(seq)
    names = [entry.user_id for _, entry in log.read(0, 10) if isinstance(entry, Erasure)]
    assert names in ([], [None])
    log.append([event("e2", "u2")])
    assert log.last_seq() > seq


def test_an_export_is_told_that_somebody_was_erased_since_also_when_that_is_done(
    log: EventLog,
) -> None:
    log.append([event("e1"), event("other", "u2")])
    since = log.last_seq()
    log.append([event("e2"), event("more", "u2")])
    assert not erased_since(log, since)
    seq = log.erase_user("u1")
    assert erased_since(log, since)
    log.finish_erasure(seq)
    assert erased_since(log, since)
    log.append([event("later", "u2")])
    assert not erased_since(log, log.last_seq() - 1)


def test_rankings_come_back_with_what_the_ranker_saw(log: EventLog) -> None:
    log.append_rankings([ranking("r1"), RankingRecord("r2", NOW_S, "fallback", ("i9",))])
    (_, first), (_, second) = log.read_rankings(0, 10)
    wanted = ranking("r1")
    for name in ("scores", "propensities", "features"):
        np.testing.assert_array_equal(getattr(first, name), getattr(wanted, name))
        assert getattr(first, name).dtype == getattr(wanted, name).dtype
    for name in ("ranking_id", "at_s", "route", "item_ids", "user_id", "query", "model_version"):
        assert getattr(first, name) == getattr(wanted, name)
    assert second.user_id is None
    assert second.features.shape == (0, 0)


def test_an_interleaved_ranking_comes_back_with_its_teams_and_the_names_of_the_arms(
    log: EventLog,
) -> None:
    exposure = Exposure("both", "interleaved", "user", "u1", 1)
    shared = replace(
        ranking("r1"), teams=np.array([1, 0], np.int8), arms=("old", "new"),
        exposures=(exposure,), variant=exposure.label,
    )  # fmt: skip
    log.append_rankings([shared, ranking("r2")])
    (_, first), (_, plain) = log.read_rankings(0, 10)
    assert first.teams is not None
    assert first.teams.tolist() == [1, 0]
    assert first.teams.dtype == np.int8
    assert (first.arms, first.exposures, first.variant) == (
        ("old", "new"), (exposure,), "both/interleaved",
    )  # fmt: skip
    assert (plain.teams, plain.arms) == (None, ())


def test_a_ranking_that_is_stored_again_is_there_once(log: EventLog) -> None:
    log.append_rankings([ranking("r1")])
    log.append_rankings([ranking("r1", "u2")])
    assert [record.user_id for _, record in log.read_rankings(0, 10)] == ["u2"]


def test_retention_drops_what_is_old_and_was_taken_in(log: EventLog, clock: Clock) -> None:
    log.append([event("old1"), event("old2"), event("unread")])
    log.append_rankings([ranking("r1")])
    clock.now_s += 100
    log.append([event("new")])
    assert log.prune(NOW_S + 50, limit=1) in (0, 1)  # nobody has committed anything: rankings only
    assert ids(log) == ["old1", "old2", "unread", "new"]
    log.commit("ingest", log.read(0, 10)[1][0])
    while log.prune(NOW_S + 50, limit=1):
        pass
    assert ids(log) == ["unread", "new"]
    assert log.read_rankings(0, 10) == []


def test_an_entry_tells_when_it_was_appended(log: EventLog, clock: Clock) -> None:
    log.append([event("e1")])
    assert log.logged_s(log.last_seq()) == NOW_S
    assert log.logged_s(10**9) is None


def test_threads_that_append_at_once_lose_nothing(log: EventLog) -> None:
    def work(thread: int) -> None:
        for number in range(20):
            log.append([event(f"{thread}-{number}")])

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log.read(0, 1000)) == 160


def _append_many(path: Path, process: int) -> None:
    log = SqliteEventLog(path)
    for number in range(40):
        log.append([event(f"{process}-{number}-{k}") for k in range(5)])


def test_processes_that_append_at_once_lose_nothing_and_readers_see_no_gap_fill(
    tmp_path: Path,
) -> None:
    log = SqliteEventLog(tmp_path / "events.db")
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=_append_many, args=(tmp_path / "events.db", n)) for n in range(3)
    ]
    for process in processes:
        process.start()
    seen: list[str] = []
    after = 0
    deadline = time.monotonic() + 120  # three interpreters start on what may be a busy machine
    while len(seen) < 600 and time.monotonic() < deadline:
        for seq, entry in log.read(after, 50):
            assert isinstance(entry, BehaviorEvent)
            seen.append(entry.event_id)
            after = seq
    for process in processes:
        process.join(10)
        assert process.exitcode == 0
    assert len(set(seen)) == len(seen) == 600
    log.close()


def test_a_failed_append_stores_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db")
    with pytest.raises(Exception, match="NOT NULL"):
        log.append([event("e1"), BehaviorEvent("e2", EventType.VIEW, None)])  # type: ignore[arg-type]
    assert log.append([event("e1")]) == AppendResult(1, 0)
    log.close()


def test_routes_of_known_rankings_are_told_and_unknown_ones_left_out(log: EventLog) -> None:
    log.append_rankings([ranking("r1"), ranking("r2")])
    assert log.routes(["r2", "made-up"]) == {"r2": RankingRoute("model", "7")}


def test_a_ranking_s_route_names_its_arms(log: EventLog) -> None:
    drawn = tuple(
        Exposure(experiment, arm, "user", "ann")
        for experiment, arm in (("wider", "spread"), ("ranker", "new"))
    )
    log.append_rankings([replace(ranking("r1"), exposures=drawn)])
    assert log.routes(["r1"])["r1"].arms == (("wider", "spread"), ("ranker", "new"))


def test_the_trace_of_a_post_is_read_with_its_event(log: EventLog) -> None:
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    log.append([replace(event("e1"), traceparent=traceparent), event("e2")])
    read = [entry for _, entry in log.read(0, 10)]
    assert [getattr(entry, "traceparent", "") for entry in read] == [traceparent, None]
