"""Who leads, and what it forgets when another has led meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from features.events.lease import LeaseLostError, Unshared
from features.ingest.keeping.erase import Eraser
from features.ingest.leader import lead
from features.ingest.loop import Ingest
from features.ingest.status import CONSUMER
from features.store.feature_store import open_store
from features.store.offline import OfflineStore
from features.store.online import OnlineFeatures
from features.telemetry.ingest_metrics import LEADER
from tests.support.live_shop import Shop, assert_online_is, folded, visits, wait_until


class Turn(Unshared):
    """A lease that a test gives and takes; `checks`: how often it holds before it is lost once."""

    def __init__(self, free: bool = True, checks: int = 1_000_000) -> None:
        self.free, self.held, self.fails, self.checks = free, False, 0, checks

    def acquire(self) -> bool:
        if self.fails:
            self.fails -= 1
            raise OSError("the store is away")
        self.held = self.free
        return self.held

    def check(self) -> None:
        self.checks -= 1
        if self.checks == 0 or not (self.held and self.free):
            raise LeaseLostError

    def release(self) -> None:
        self.held = False


def opened(shop: Shop, lease: Unshared, online: OnlineFeatures | None = None) -> Ingest:
    offline = OfflineStore(shop.settings.store.offline_path)
    return Ingest(
        shop.log, shop.held, online or shop.online, shop.catalog, offline, Eraser(offline),
        shop.settings, lease=lease,
    )  # fmt: skip


@contextmanager
def leading(ingest: Ingest) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=lead, args=(ingest, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def leads() -> bool:
    return any(sample.value for metric in LEADER.collect() for sample in metric.samples)


def all_is_folded(shop: Shop) -> bool:
    return shop.log.offset(CONSUMER) == shop.log.last_seq()


def test_who_lost_the_lease_begins_again_from_what_another_wrote_meanwhile(shop: Shop) -> None:
    turn = Turn()
    first = opened(shop, turn)
    with leading(first):
        shop.log.append(visits(shop, 40))
        wait_until(lambda: all_is_folded(shop))
        assert leads()
        turn.free = False
        wait_until(lambda: not leads())
        shop.log.append(visits(shop, 50, seed=1))
        assert opened(shop, Unshared()).drain() == 50
        turn.free = True
        wait_until(leads)
        shop.log.append(visits(shop, 60, seed=2))
        wait_until(lambda: all_is_folded(shop))
    assert first.status().events_total == 100
    assert first.status().failures_total == 0
    assert_online_is(shop, folded(shop))
    assert not turn.held
    assert not leads()


def test_who_stands_by_takes_nothing_in_and_is_ready_when_its_turn_comes(shop: Shop) -> None:
    turn = Turn(free=False)
    shop.log.append(visits(shop, 20))
    with leading(opened(shop, turn)):
        with pytest.raises(AssertionError):
            wait_until(lambda: leads() or shop.log.offset(CONSUMER), timeout_s=1.0)
        assert shop.online.read_users(["u0", "u1", "u2"]) == {}
        turn.free = True
        wait_until(lambda: all_is_folded(shop))
    assert_online_is(shop, folded(shop))


def test_a_lease_that_nobody_can_be_asked_for_is_asked_for_again(shop: Shop) -> None:
    turn = Turn()
    turn.fails = 1
    shop.log.append(visits(shop, 20))
    with leading(opened(shop, turn)):
        wait_until(lambda: all_is_folded(shop))
    assert turn.fails == 0


@pytest.mark.parametrize("checks", range(1, 6))
def test_wherever_the_lease_is_lost_no_event_is_lost_or_counts_twice(
    shop: Shop, checks: int
) -> None:
    turn = Turn(checks=checks)
    online = OnlineFeatures(open_store(shop.settings.store), turn)
    shop.log.append(visits(shop, 30))
    with leading(opened(shop, turn, online)):
        wait_until(lambda: all_is_folded(shop))
    online.close()
    assert turn.checks < 0
    assert_online_is(shop, folded(shop))


def test_without_the_lease_no_row_is_written_or_deleted(shop: Shop, ingest: Ingest) -> None:
    shop.log.append(visits(shop, 30))
    ingest.drain()
    before = shop.online.read_users(["u0", "u1"])
    online = OnlineFeatures(open_store(shop.settings.store), Turn())
    with pytest.raises(LeaseLostError):
        online.write_users({"u0": before["u1"]})
    with pytest.raises(LeaseLostError):
        online.delete_user("u1")
    online.close()
    assert shop.online.read_users(["u0", "u1"]) == before
