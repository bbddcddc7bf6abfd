"""The lease in a real Redis: one holder, for as long as it renews, and a log that knows it."""

import time
from collections.abc import Iterator

import pytest
from redis import Redis

from features.events.lease import LeaseLostError, RedisLease
from features.events.redis_log import RedisEventLog
from tests.support.live_shop import wait_until

pytestmark = pytest.mark.redis
KEY = "{vitrine}:lease"


class Clock:
    """A clock that a test moves."""

    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def leases(redis: Redis, redis_port: int) -> Iterator[tuple[RedisLease, RedisLease]]:
    pair = RedisLease(Redis(port=redis_port), ttl_s=0.8), RedisLease(Redis(port=redis_port))
    yield pair
    for lease in pair:
        lease.close()


def test_one_holds_it_until_it_gives_it_back(leases: tuple[RedisLease, RedisLease]) -> None:
    first, second = leases
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.check()
    with pytest.raises(LeaseLostError):
        first.check()


def test_it_lasts_for_as_long_as_it_is_renewed(leases: tuple[RedisLease, RedisLease]) -> None:
    first, second = leases
    first.acquire()
    time.sleep(2.0)
    first.check()
    assert not second.acquire()


def test_of_a_holder_that_is_gone_it_runs_out(
    redis: Redis, leases: tuple[RedisLease, RedisLease]
) -> None:
    redis.set(KEY, "gone", px=300)
    assert not leases[1].acquire()
    wait_until(leases[1].acquire, timeout_s=2.0)


def test_who_lost_it_learns_of_it_and_does_not_give_back_what_is_anothers(
    redis: Redis, leases: tuple[RedisLease, RedisLease]
) -> None:
    first, second = leases
    first.acquire()
    redis.delete(KEY)
    assert second.acquire()

    def lost() -> bool:
        try:
            first.check()
        except LeaseLostError:
            return True
        return False

    wait_until(lost, timeout_s=2.0)
    first.release()
    assert redis.get(KEY) == second.token.encode()


def test_before_it_can_have_run_out_nothing_is_written_any_more(redis: Redis) -> None:
    clock = Clock()
    lease = RedisLease(redis, ttl_s=10.0, clock=clock)
    lease.acquire()
    clock.now_s += 7.9
    lease.check()
    clock.now_s += 0.2
    with pytest.raises(LeaseLostError):
        lease.check()
    assert redis.get(KEY) is not None
    lease.release()


def test_the_log_refuses_a_commit_of_who_is_not_the_holder(
    redis: Redis, leases: tuple[RedisLease, RedisLease]
) -> None:
    first, second = leases
    log = RedisEventLog(redis, lease=first)
    with pytest.raises(LeaseLostError):
        log.commit("ingest", 1, ["i1"], b"one")
    first.acquire()
    log.commit("ingest", 2, ["i2"], b"two")
    redis.delete(KEY)  # as if it had run out while the holder stood still
    for _ in range(2):  # nobody has it; another has it
        with pytest.raises(LeaseLostError):
            log.commit("ingest", 3, ["i3"], b"three")
        second.acquire()
    assert (log.offset("ingest"), log.status("ingest")) == (2, b"two")
    assert log.changed_items_since(0).item_ids == ["i2"]
