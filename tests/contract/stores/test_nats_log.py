"""What the log in NATS promises besides the contract: a server that dies, is full, or forgets."""

import asyncio
import logging
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import nats as client_of_nats
import pytest

from features.events.event import BehaviorEvent, EventType
from features.events.lease import LeaseLostError
from features.events.log import ChangesMissedError, Erasure
from features.events.nats.layout import Layout
from features.events.nats.lease import nats_lease
from features.events.nats.log import NatsEventLog
from features.events.nats.settings import NatsSettings
from features.events.nats.space import NatsLogSpace
from features.full import StoreFullError
from serving.local.machine import free_port
from tests.contract.stores.test_event_log import event, ranking
from tests.support.live_shop import wait_until
from tests.support.servers.nats_server import NatsServer, nats_server

MEGABYTE = 1 << 20
NOW_S = 1_700_000_000.0


def large(event_id: str, user_id: str = "u1") -> BehaviorEvent:
    """Half a kilobyte that does not compress."""
    query = "".join(map(chr, range(0x4E00, 0x4E00 + 160)))
    return BehaviorEvent(event_id, EventType.VIEW, NOW_S, user_id, None, "i1", query)


def fill(log: NatsEventLog) -> int:
    """Until no event fits; returns how many were accepted."""
    accepted = 0
    for start in range(0, 100_000, 50):
        try:
            accepted += log.append([large(f"e{start + n}") for n in range(50)]).accepted
        except StoreFullError:
            return accepted
    raise AssertionError("it is never full")


def test_what_was_accepted_survives_a_server_that_is_killed_and_nothing_is_there_twice(
    own_nats: NatsServer,
) -> None:
    log = NatsEventLog(own_nats.anew(timeout_s=0.5))
    accepted: list[str] = []
    over = threading.Event()

    def write(thread: int) -> None:
        number = 0
        while not over.is_set():
            batch = [event(f"{thread}-{number}-{k}") for k in range(5)]
            try:
                log.append(batch)
            except (TimeoutError, ConnectionError):
                continue  # as a storefront does: the same batch again
            accepted.extend(each.event_id for each in batch)
            number += 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            time.sleep(0.3)
            own_nats.kill()
            time.sleep(0.2)
            own_nats.start()
            wanted = len(accepted) + 50
            wait_until(partial(_longer, accepted, wanted), timeout_s=30)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    stored = [entry.event_id for _, entry in log.read(0, 1_000_000)]  # type: ignore[union-attr]
    log.close()
    assert len(accepted) > 200
    assert set(accepted) <= set(stored)
    assert len(stored) == len(set(stored))


@pytest.mark.timeout(300)  # a leader is chosen four times; each takes seconds on a quiet machine
def test_of_three_servers_the_loss_of_any_loses_nothing(tmp_path: Path) -> None:
    ports, peers = ([free_port() for _ in range(3)] for _ in range(2))
    routes = ",".join(f"nats://127.0.0.1:{peer}" for peer in peers)
    servers = [
        NatsServer(
            ports[n], tmp_path / f"nats{n}", False, "--name", f"nats{n}",
            "--cluster_name", "vitrine",
            "--cluster", f"nats://127.0.0.1:{peers[n]}", "--routes", routes,
        )
        for n in range(3)
    ]  # fmt: skip
    for server in servers:
        server.start()
    urls = [server.url for server in servers]
    log = NatsEventLog(servers[0].anew(servers=urls, replicas=3, timeout_s=1.0))
    try:
        wait_until(partial(_append, log, "first"), timeout_s=60)
        accepted = ["first"]
        for server in servers:  # one after the other: whoever leads, and whoever is asked
            server.kill()
            for number in range(20):
                event_id = f"{server.port}-{number}"
                wait_until(partial(_told, log, event_id), timeout_s=60)
                accepted.append(event_id)
            server.start()
            wait_until(lambda: log.logged_s(1) is not None, timeout_s=60)
        stored = [getattr(entry, "event_id", "") for _, entry in log.read(0, 1_000)]
        assert stored == accepted
    finally:
        log.close()
        for server in servers:
            server.stop()


def test_a_server_that_is_away_is_told_in_time_and_found_again(own_nats: NatsServer) -> None:
    log = NatsEventLog(own_nats.anew(timeout_s=0.3))
    log.append([event("before")])
    own_nats.stop()
    began_s = time.monotonic()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            log.append([event("meanwhile")])
    assert time.monotonic() - began_s < 1.5
    own_nats.start()
    wait_until(lambda: _append(log, "after"), timeout_s=5)
    assert [entry.event_id for _, entry in log.read(0, 9)] == ["before", "after"]  # type: ignore[union-attr]
    log.close()


def test_a_log_opened_before_its_server_is_there_waits_for_it(own_nats: NatsServer) -> None:
    own_nats.stop()
    log = NatsEventLog(own_nats.anew(timeout_s=0.3))
    assert not _append(log, "e1")
    own_nats.start()
    wait_until(lambda: _append(log, "e1"), timeout_s=5)
    log.close()


def test_a_log_is_closed_at_whatever_moment_of_connecting() -> None:
    settings = NatsSettings(servers=[f"nats://127.0.0.1:{free_port()}"], timeout_s=0.2)
    for moment in range(200):
        log = NatsEventLog(settings)
        time.sleep(moment * 1e-4)
        log.close()


def test_a_server_that_lost_its_files_gets_its_streams_anew(tmp_path: Path) -> None:
    with nats_server(tmp_path / "first") as first:
        log = NatsEventLog(first.anew(timeout_s=0.3))
        log.append([event("lost")])
        first.stop()
        with nats_server(tmp_path / "second", port=first.port):
            wait_until(lambda: _append(log, "e1"), timeout_s=5)
            assert len(log.read(0, 9)) == 1
            log.close()


def test_a_wrong_password_is_told_and_shows_no_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with nats_server(tmp_path / "nats", "--user", "vitrine", "--pass", "right-one") as server:
        wrong = server.anew(username="vitrine", password="wrong-one", timeout_s=0.5)
        log = NatsEventLog(wrong)
        with caplog.at_level(logging.DEBUG):
            assert not _append(log, "e1")
        log.close()
        right = NatsEventLog(server.anew(username="vitrine", password="right-one"))
        assert _append(right, "e1")
        right.close()
    told = caplog.text.lower()
    assert "authorization" in told
    assert "wrong-one" not in told


def test_a_full_log_takes_no_event_and_has_room_when_what_was_folded_is_trimmed(
    nats: NatsServer,
) -> None:
    settings = nats.anew(events_max_bytes=MEGABYTE)
    log, space = NatsEventLog(settings), NatsLogSpace(settings)
    accepted = fill(log)
    assert space.fill() > 0.9
    assert len(log.read(0, 100_000)) == accepted
    assert not any(space.trim(MEGABYTE))  # nobody has folded anything
    log.commit("ingest", accepted // 2)
    while (excess := space.measure().excess) > 0 and any(space.trim(excess)):
        pass
    assert space.fill() < 0.8
    assert log.read(0, 1)[0][0] <= accepted // 2 + 1
    assert log.append([large("again")]).accepted == 1
    log.append_rankings([ranking("r1")])  # which have a bound of their own
    log.close()
    space.close()


def test_of_rankings_the_oldest_go_by_themselves(nats: NatsServer) -> None:
    settings = nats.anew(rankings_max_bytes=MEGABYTE)
    log, space = NatsEventLog(settings), NatsLogSpace(settings)
    log.append([event("e1")])
    for start in range(0, 6_000, 500):
        log.append_rankings([ranking(f"r{start + n}") for n in range(500)])
    left = [record.ranking_id for _, record in log.read_rankings(0, 10_000)]
    assert 500 < len(left) < 5_000
    assert left == [f"r{n}" for n in range(6_000 - len(left), 6_000)]
    assert space.measure().excess <= 0
    assert log.routes(["r0", "r5999"]).keys() == {"r5999"}
    assert len(log.read(0, 10)) == 1
    log.close()
    space.close()


def test_no_file_of_the_server_holds_anything_of_who_was_erased(
    own_nats: NatsServer, tmp_path: Path
) -> None:
    log = NatsEventLog(own_nats.anew())
    log.append([event(f"their-{n}", "somebody-to-forget", "their-session") for n in range(50)])
    log.append([event("other", "u2", "s2")])
    log.append_rankings([ranking("r1", "somebody-to-forget", "their-session")])
    seq = log.erase_user("somebody-to-forget")
    log.finish_erasure(seq)
    log.close()
    own_nats.stop()
    files = [path for path in (tmp_path / "nats").rglob("*") if path.is_file()]
    told = b"".join(path.read_bytes() for path in files)
    assert b"u2" in told
    for secret in ("somebody-to-forget", "their-session", "their-7"):
        assert secret.encode() not in told


def test_guests_of_all_streams_go_before_what_tells_whose_they_were(nats: NatsServer) -> None:
    """The server lets no ranking go, so the erasure breaks off at the first of them."""
    settings = nats.anew()
    log = NatsEventLog(settings)
    log.append([event("own"), event("guest", None), event("other", "u2", "s2")])
    log.append_rankings([ranking("r-own"), ranking("r-guest", None)])

    async def keep_rankings() -> None:
        client = await client_of_nats.connect(settings.servers)
        name = Layout(settings).stream("rankings")
        manager = client.jetstream()
        config = (await manager.stream_info(name)).config
        await manager.update_stream(replace(config, deny_delete=True))
        await client.close()

    asyncio.run(keep_rankings())
    with pytest.raises(Exception, match="delete"):
        log.erase_user("u1")
    entries = [entry for _, entry in log.read(0, 10)]
    assert [each.event_id for each in entries if isinstance(each, BehaviorEvent)] == [
        "own",
        "other",
    ]
    log.close()


def test_erasing_one_of_many_reads_only_what_is_theirs(nats: NatsServer) -> None:
    settings = nats.anew()
    log = NatsEventLog(settings)
    log.append([event(f"e{n}", f"u{n % 100}", f"s{n % 100}") for n in range(2_000)])
    log.append([event("guest", None, "s7"), event("stranger", None, "s8")])
    log.erase_user("u7")
    left = log.read(0, 10_000)
    ((_, erasure),) = left[-1:]
    assert isinstance(erasure, Erasure)
    assert (erasure.user_id, erasure.session_ids) == ("u7", ("s7",))
    users = [entry.user_id for _, entry in left[:-1]]
    assert len(users) == 2_000 - 20 + 1
    assert "u7" not in users
    log.close()


def test_two_that_append_the_same_events_store_each_once(nats: NatsServer) -> None:
    settings = nats.anew()
    logs = [NatsEventLog(settings) for _ in range(4)]
    counts: list[int] = []

    def write(log: NatsEventLog) -> None:
        for start in range(0, 200, 10):
            counts.append(log.append([event(f"e{start + n}") for n in range(10)]).accepted)

    threads = [threading.Thread(target=write, args=(log,)) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 200
    assert len(logs[0].read(0, 1_000)) == 200
    for log in logs:
        log.close()


def test_more_than_a_batch_holds_is_stored_in_order(nats: NatsServer) -> None:
    log = NatsEventLog(nats.anew())
    assert log.append([event(f"e{n}") for n in range(2_500)]).accepted == 2_500
    names = [entry.event_id for _, entry in log.read(0, 5_000)]  # type: ignore[union-attr]
    assert names == [f"e{n}" for n in range(2_500)]
    log.append_rankings([ranking(f"r{n}") for n in range(2_500)])
    assert len(log.routes([f"r{n}" for n in range(3_000)])) == 2_500
    log.close()


def test_a_commit_between_a_look_at_the_lease_and_a_write_is_refused(nats: NatsServer) -> None:
    settings = nats.anew()
    first = nats_lease(settings)
    log, other = NatsEventLog(settings, lease=first), NatsEventLog(settings)
    first.acquire()
    assert log.offset("ingest") == 0
    other.commit("ingest", 5)  # by whoever holds it now
    with pytest.raises(LeaseLostError):
        log.commit("ingest", 3)
    assert log.offset("ingest") == 5
    log.commit("ingest", 6)
    first.close()
    log.close()
    other.close()


def test_who_asks_for_changes_that_are_not_kept_any_more_is_told(nats: NatsServer) -> None:
    log = NatsEventLog(nats.anew(commits=5))
    for seq in range(1, 11):
        log.commit("ingest", seq, [f"i{seq}"])
    with pytest.raises(ChangesMissedError):
        log.changed_items_since(2)
    assert log.changed_items_since(0).item_ids == ["i6", "i7", "i8", "i9", "i10"]
    assert log.changed_items_since(7).item_ids == ["i8", "i9", "i10"]
    log.close()


def test_bounds_that_change_are_taken_over(nats: NatsServer) -> None:
    settings = nats.anew(events_max_bytes=MEGABYTE)
    small = NatsEventLog(settings)
    accepted = fill(small)
    small.close()
    log = NatsEventLog(settings.model_copy(update={"events_max_bytes": 8 * MEGABYTE}))
    assert log.append([large(f"more-{n}") for n in range(100)]).accepted == 100
    assert len(log.read(0, 100_000)) == accepted + 100
    log.close()


def _told(log: NatsEventLog, event_id: str) -> bool:
    """It is there, now or since a try before."""
    try:
        result = log.append([event(event_id)])
    except (TimeoutError, ConnectionError):
        return False
    return result.accepted + result.duplicates == 1


def _longer(texts: list[str], than: int) -> bool:
    return len(texts) > than


def _append(log: NatsEventLog, event_id: str) -> bool:
    try:
        return log.append([event(event_id)]).accepted == 1
    except (TimeoutError, ConnectionError):
        return False
