"""Shops in one Redis: each reads its own alone, one lease is of all, deleting ends at one shop."""

import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from redis import Redis

from features.behavior.state import BehaviorState
from features.catalog.item import Item
from features.catalog.prices import Prices
from features.events.event import BehaviorEvent, EventType
from features.events.lease import LeaseLostError
from features.store.backends import (
    open_catalog,
    open_controls,
    open_event_log,
    open_held_events,
    open_lease,
    open_log_space,
)
from features.store.feature_store import open_current
from features.store.online import OnlineFeatures
from features.store.settings import RedisSettings, StoreSettings
from features.store.shops import delete_store

pytestmark = pytest.mark.redis
EVENT = BehaviorEvent("e1", EventType.CLICK, time.time(), user_id="ann", item_id="milk")


@pytest.fixture
def installation(redis: Redis, redis_port: int, tmp_path: Path) -> StoreSettings:
    at = RedisSettings(port=redis_port, timeout_s=5)
    return StoreSettings(state=tmp_path, kind="redis", redis=at, registry=str(tmp_path / "r.db"))


@pytest.fixture
def shops(installation: StoreSettings) -> list[StoreSettings]:
    """The default shop and two others, each with an event, an item, a document and a shopper."""
    stores = [
        installation,
        *(installation.of_shop(space, Prices()) for space in ("one-1", "two-1")),
    ]
    for number, store in enumerate(stores):
        with ExitStack() as opened:
            log = opened.enter_context(closing(open_event_log(store)))
            catalog = opened.enter_context(closing(open_catalog(store)))
            controls = opened.enter_context(closing(open_controls(store)))
            online = opened.enter_context(closing(OnlineFeatures(open_current(store))))
            log.append([EVENT])
            catalog.upsert([Item("milk", f"Milk of {number}")])
            controls.put("kind", "key", {"shop": number})
            online.write_users({"ann": BehaviorState(counts={"click": number + 1}, last_s=1e9)})
    return stores


def clicks(store: StoreSettings) -> float | None:
    with closing(OnlineFeatures(open_current(store))) as online:
        found = online.read_users(["ann"])
        return found["ann"].counts["click"] if found else None


def keys(redis: Redis) -> set[bytes]:
    return set(redis.scan_iter())


def test_each_shop_reads_its_own_alone(shops: list[StoreSettings]) -> None:
    for number, store in enumerate(shops):
        with closing(open_event_log(store)) as log, closing(open_catalog(store)) as catalog:
            assert log.last_seq() == 1  # the same event_id is no duplicate of another shop's
            assert [item.title for item in catalog.all()] == [f"Milk of {number}"]
        with closing(open_controls(store)) as controls:
            assert controls.all("kind") == {"key": {"shop": number}}
        with closing(open_held_events(store)) as held:
            assert held.all() == []
        assert clicks(store) == number + 1.0


def test_deleting_a_shop_leaves_nothing_of_it_and_all_of_the_others(
    shops: list[StoreSettings], redis: Redis
) -> None:
    default, one, two = shops
    others = {key for key in keys(redis) if one.space.encode() not in key}
    others -= {key for key in others if key.endswith(one.project.encode())}
    delete_store(one)
    assert keys(redis) == others
    assert not one.state.exists()
    assert (clicks(default), clicks(two)) == (1.0, 3.0)
    delete_store(one)  # safe to repeat


def test_who_lost_the_lease_of_the_installation_commits_for_no_shop(
    shops: list[StoreSettings], redis: Redis
) -> None:
    default, one, _ = shops
    with closing(open_lease(default)) as lease:
        assert lease.acquire()
        with closing(open_event_log(one, lease)) as log:
            log.commit("ingest", 1)
            redis.set("{vitrine}:lease", "somebody-else")
            with pytest.raises(LeaseLostError):
                log.commit("ingest", 1)
            assert log.offset("ingest") == 1


def test_a_shop_gives_way_at_its_own_bound_and_is_not_told_of_the_store(
    shops: list[StoreSettings], redis: Redis
) -> None:
    redis.config_set("maxmemory", 100 * 2**20)
    try:
        with closing(open_log_space(shops[1])) as space:
            measured = space.measure()
    finally:
        redis.config_set("maxmemory", 0)
    assert measured.log_max == int(0.6 * 0.02 * 100 * 2**20)
    assert (measured.store, measured.store_max) == (measured.log, None)
