"""Events that come before their item: the item gets its first sales, once."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from features.catalog.item import Item
from features.events.event import BehaviorEvent, EventType
from features.ingest.__main__ import open_ingest
from features.ingest.export import collected
from features.ingest.loop import Ingest
from features.ingest.settings import IngestSettings
from features.ingest.status import CONSUMER
from features.ingest.waiting import Waiting
from features.telemetry.ingest_metrics import HELD_DROPPED
from tests.support.live_shop import Shop, folded
from tests.unit.behavior.test_fold import assert_same_meaning

NEW = Item("new", "New", category="Fresh > Fruit", brand="Leaf", price=3.0)


def first_sales(shop: Shop, n: int = 30) -> list[BehaviorEvent]:
    """Of an item that the catalogue does not know, and clicks on one that it does."""
    now_s = time.time()
    return [
        shop.event(
            f"u{number % 3}",
            session_id=f"s{number % 3}",
            item_id="i1" if kind is EventType.CLICK else "new",
            type=kind,
            at_s=now_s - 9 * 86_400 * (1 - number / n) - 10,
        )
        for number in range(n)
        for kind in (EventType.PURCHASE, EventType.CLICK)
    ]


def assert_as_if_known_all_along(shop: Shop) -> None:
    """What is online means what a replay gives that has the item from the beginning."""
    replayed = folded(shop)
    users, sessions = shop.online.read_users(replayed.users), shop.online.read_sessions(["s0"])
    for user_id, state in replayed.users.items():
        assert_same_meaning(users[user_id], state)
    assert_same_meaning(sessions["s0"], replayed.sessions["s0"])
    rows = shop.online.read_items(["new", "i1"])
    expected = replayed.items.counts[[len(replayed.items) - 1, 1]]
    np.testing.assert_allclose(rows.counts, expected, rtol=1e-4, atol=1e-6)
    assert rows.counts[0].max() > 1


def test_what_was_bought_before_the_item_came_counts_when_it_comes(
    shop: Shop, ingest: Ingest
) -> None:
    shop.log.append(first_sales(shop))
    ingest.drain()
    assert "Fresh" not in shop.user("u0").categories
    assert "new" in shop.user("u0").bought
    shop.catalog.upsert([NEW])
    assert ingest.drain() == 30
    assert_as_if_known_all_along(shop)
    assert shop.held.all() == []
    assert ingest.drain() == 0


def test_an_item_that_comes_while_ingest_is_away_gets_its_sales(shop: Shop) -> None:
    shop.log.append(first_sales(shop))
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
    shop.catalog.upsert([NEW])
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
    assert_as_if_known_all_along(shop)


@pytest.mark.parametrize("item_came", [False, True])
@pytest.mark.parametrize("committed", [0, 17])
def test_a_batch_that_is_read_again_gives_an_item_its_sales_once(
    shop: Shop, item_came: bool, committed: int
) -> None:
    shop.log.append(first_sales(shop))
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
    if item_came:
        shop.catalog.upsert([NEW])
    shop.log.commit(CONSUMER, committed)  # as if the crash came before the commit
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
        shop.catalog.upsert([NEW])
        ingest.drain()
    assert_as_if_known_all_along(shop)


def test_a_crash_between_the_second_append_and_its_note_appends_nothing_twice(shop: Shop) -> None:
    shop.log.append(first_sales(shop))
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
    noted = shop.held.all()
    shop.catalog.upsert([NEW])
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
    shop.held.hold(noted)
    before = len(shop.log.read(0, 1_000))
    with open_ingest(shop.settings) as ingest:
        ingest.drain()
    assert len(shop.log.read(0, 1_000)) == before
    assert_as_if_known_all_along(shop)


def test_what_is_exported_has_each_event_once(shop: Shop, ingest: Ingest) -> None:
    told = first_sales(shop)
    shop.log.append(told)
    ingest.drain()
    shop.catalog.upsert([NEW])
    ingest.drain()
    assert len(collected(shop.settings.store).events) == len(told)


def test_a_shopper_who_was_erased_meanwhile_is_not_brought_back(shop: Shop, ingest: Ingest) -> None:
    shop.log.append(first_sales(shop))
    ingest.drain()
    shop.log.erase_user("u0")
    shop.catalog.upsert([NEW])
    ingest.drain()
    assert shop.online.read_users(["u0", "u1"]).keys() == {"u1"}


def test_a_returned_purchase_of_an_unknown_item_teaches_nothing(shop: Shop, ingest: Ingest) -> None:
    now_s = time.time()
    bought = shop.event("u1", item_id="new", type=EventType.PURCHASE, at_s=now_s - 100)
    shop.log.append(
        [
            bought,
            replace(bought, event_id="back", type=EventType.RETURN, at_s=now_s - 50),
        ]
    )
    ingest.drain()
    shop.catalog.upsert([NEW])
    ingest.drain()
    assert shop.user().bought == {}
    assert shop.user().categories == {}
    assert shop.online.read_items(["new"]).counts[0, 3].max() == pytest.approx(0, abs=1e-3)


def waiting(shop: Shop, at_most: int, now_s: Sequence[float] = (0.0,)) -> Waiting:
    times = iter(now_s)
    return Waiting(shop.log, shop.held, at_most, 100.0, lambda: next(times))


def dropped(reason: str) -> float:
    return float(HELD_DROPPED.labels(reason=reason)._value.get())


def test_the_oldest_make_room_and_it_is_counted(shop: Shop) -> None:
    before = dropped("full")
    room = waiting(shop, 3, [0.0, 1.0])
    room.hold([(seq, shop.event(item_id="new")) for seq in (1, 2)], {})
    room.hold([(seq, shop.event(item_id="new")) for seq in (3, 4, 5)], {})
    assert [held.seq for held in shop.held.all()] == [3, 4, 5]
    assert [seq in room for seq in (2, 3)] == [False, True]
    assert dropped("full") == before + 2


def test_what_waits_too_long_is_dropped_and_counted(shop: Shop) -> None:
    before = dropped("expired")
    room = waiting(shop, 9, [0.0, 50.0, 120.0])
    room.hold([(1, shop.event(item_id="new"))], {})
    room.hold([(2, shop.event(item_id="new"))], {})
    room.expire()
    assert [held.seq for held in shop.held.all()] == [2]
    assert dropped("expired") == before + 1


def test_the_bounds_are_settings() -> None:
    assert IngestSettings(max_held=1, hold_s=1.0).max_held == 1
