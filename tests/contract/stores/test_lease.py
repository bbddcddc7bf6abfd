"""The lease in a real Redis and a real NATS: one holder, for as long as it renews, and a log that
knows it.
"""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from redis import Redis

from features.events.lease import Lease, LeaseLostError, redis_lease
from features.events.log import EventLog
from features.events.nats.lease import nats_lease
from features.events.nats.log import NatsEventLog
from features.events.nats.streams import NatsStreams
from features.events.redis_log import RedisEventLog
from tests.support.live_shop import wait_until
from tests.support.servers.nats_server import NatsServer

KEY = "{vitrine}:lease"


class Clock:
    """A clock that a test moves."""

    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Held(NamedTuple):
    """Two that want one lease, a log of the first, and what the server knows of it."""

    first: Lease
    second: Lease
    log: EventLog
    holder: Callable[[], str | None]
    forget: Callable[[], object]  # as if it had run out


@pytest.fixture(params=[pytest.param("redis", marks=pytest.mark.redis), "nats"])
def held(request: pytest.FixtureRequest) -> Iterator[Held]:
    if request.param == "redis":
        client: Redis = request.getfixturevalue("redis")
        port = request.getfixturevalue("redis_port")

        def holder() -> str | None:
            token: bytes | None = client.get(KEY)  # type: ignore[assignment]
            return None if token is None else token.decode()

        first, second = (redis_lease(Redis(port=port), ttl_s=0.8) for _ in range(2))
        made = Held(
            first, second, RedisEventLog(client, lease=first), holder, lambda: client.delete(KEY)
        )
        yield made
    else:
        nats: NatsServer = request.getfixturevalue("nats")
        settings = nats.anew(lease_s=0.8)
        streams = NatsStreams(settings)
        first, second = nats_lease(settings), nats_lease(settings)

        def forget() -> None:
            streams.erase("lease", [streams.state("lease").last_seq])

        made = Held(first, second, NatsEventLog(settings, lease=first), streams.holder, forget)
        yield made
        made.log.close()
        streams.close()
    for lease in (first, second):
        lease.close()


def test_one_holds_it_until_it_gives_it_back(held: Held) -> None:
    assert held.first.acquire()
    assert not held.second.acquire()
    held.first.release()
    assert held.second.acquire()
    held.second.check()
    with pytest.raises(LeaseLostError):
        held.first.check()


def test_it_lasts_for_as_long_as_it_is_renewed(held: Held) -> None:
    held.first.acquire()
    time.sleep(2.0)
    held.first.check()
    assert not held.second.acquire()


def test_of_a_holder_that_is_gone_it_runs_out(held: Held) -> None:
    held.first.acquire()
    held.first._term.over.set()  # type: ignore[attr-defined]  # nobody renews it
    assert not held.second.acquire()
    wait_until(held.second.acquire, timeout_s=2.0)


def test_who_lost_it_learns_of_it_and_does_not_give_back_what_is_anothers(held: Held) -> None:
    held.first.acquire()
    held.forget()
    assert held.second.acquire()

    def lost() -> bool:
        try:
            held.first.check()
        except LeaseLostError:
            return True
        return False

    wait_until(lost, timeout_s=2.0)
    held.first.release()
    assert held.holder() == held.second.token


@pytest.mark.redis
def test_before_it_can_have_run_out_nothing_is_written_any_more(redis: Redis) -> None:
    clock = Clock()
    lease = redis_lease(redis, ttl_s=10.0, clock=clock)
    lease.acquire()
    clock.now_s += 7.9
    lease.check()
    clock.now_s += 0.2
    with pytest.raises(LeaseLostError):
        lease.check()
    assert redis.get(KEY) is not None
    lease.release()


def test_the_log_refuses_a_commit_of_who_is_not_the_holder(held: Held) -> None:
    log = held.log
    with pytest.raises(LeaseLostError):
        log.commit("ingest", 1, ["i1"], b"one")
    held.first.acquire()
    log.commit("ingest", 2, ["i2"], b"two")
    held.forget()  # as if it had run out while the holder stood still
    for _ in range(2):  # nobody has it; another has it
        with pytest.raises(LeaseLostError):
            log.commit("ingest", 3, ["i3"], b"three")
        held.second.acquire()
    assert (log.offset("ingest"), log.status("ingest")) == (2, b"two")
    assert log.changed_items_since(0).item_ids == ["i2"]
