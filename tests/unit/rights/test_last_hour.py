"""The last hour of a shared device: forgotten, as if nobody had been there, and nothing else is."""

import time
from typing import Any

import pytest

from features.behavior.state import BehaviorState
from features.definitions import USER_VIEW
from features.events.event import BehaviorEvent, EventType, sign_in
from features.events.log import Erasure, RankingRecord
from features.ingest.loop import Ingest
from tests.support.fakes import NOW_S
from tests.support.live_shop import Shop
from tests.support.service import Service, problem

HOUR_S = 3_600.0
KINDS = (EventType.VIEW, EventType.ADD_TO_CART, EventType.PURCHASE, EventType.IMPRESSION)


def told(shop: Shop, n: int, ago_s: float, user: str | None = "u1") -> list[BehaviorEvent]:
    """`n` events that began so long ago, a second apart."""
    at_s = time.time() - ago_s
    return [
        shop.event(user, item_id=f"i{place % 9}", type=KINDS[place % 4], at_s=at_s + place)
        for place in range(n)
    ]


def without_given(state: BehaviorState) -> BehaviorState:
    """What is known, but for what was given to items and the place in the log."""
    same = state.copy()
    same.given, same.applied_seq = {}, 0
    return same


@pytest.mark.parametrize("snapshot", [False, True], ids=["by the log alone", "by a snapshot"])
def test_what_is_known_is_as_if_the_hour_had_not_been(
    shop: Shop, ingest: Ingest, snapshot: bool
) -> None:
    shop.log.append(told(shop, 12, 3 * HOUR_S))
    ingest.drain()
    if snapshot:
        ingest.maintain()
    shop.log.append(told(shop, 5, 2 * HOUR_S))
    ingest.drain()
    before = shop.user()
    shop.log.append([*told(shop, 9, 0.5 * HOUR_S), *told(shop, 3, 0.5 * HOUR_S, "u2")])
    ingest.drain()
    assert shop.user() != before
    other = shop.user("u2")
    shop.log.erase_user("u1", time.time() - HOUR_S)
    ingest.drain()
    assert without_given(shop.user()) == without_given(before)
    assert shop.user("u2") == other
    left = [each for _, each in shop.log.read(0, 100) if isinstance(each, BehaviorEvent)]
    assert len([each for each in left if each.user_id == "u1"]) == 17


def test_what_a_guest_did_before_the_hour_is_still_the_users(shop: Shop, ingest: Ingest) -> None:
    shop.log.append([*told(shop, 6, 2 * HOUR_S, None), sign_in("u1", "s1", time.time() - 7_000)])
    ingest.drain()
    before = shop.user()
    assert before.counts
    shop.log.append(told(shop, 4, 600.0))
    ingest.drain()
    shop.log.erase_user("u1", time.time() - HOUR_S)
    ingest.drain()
    assert without_given(shop.user()) == without_given(before)


def test_what_another_did_in_the_same_session_is_not_learnt_by_a_reset(
    shop: Shop, ingest: Ingest
) -> None:
    shop.log.append([*told(shop, 6, 3 * HOUR_S, None), *told(shop, 4, 2.5 * HOUR_S, "u2")])
    shop.log.append(told(shop, 6, 2 * HOUR_S))
    ingest.drain()
    before = shop.user()
    shop.log.append(told(shop, 4, 600.0))
    ingest.drain()
    shop.log.erase_user("u1", time.time() - HOUR_S)
    ingest.drain()
    assert shop.user().counts == before.counts


def test_who_only_came_in_the_hour_is_not_known_any_more(shop: Shop, ingest: Ingest) -> None:
    shop.log.append(told(shop, 4, 600.0))
    ingest.drain()
    assert shop.online.read_sessions(["s1"])
    shop.log.erase_user("u1", time.time() - HOUR_S)
    ingest.drain()
    assert shop.online.read_users(["u1"]) == {}
    assert shop.online.read_sessions(["s1"]) == {}
    shop.log.append(told(shop, 1, 10.0))
    ingest.drain()
    assert shop.user().counts == {EventType.VIEW: 1}


def test_a_reset_that_is_read_again_changes_nothing_more(shop: Shop, ingest: Ingest) -> None:
    shop.log.append(told(shop, 8, 2 * HOUR_S))
    ingest.drain()
    shop.log.append(told(shop, 4, 600.0))
    ingest.drain()
    seq = shop.log.erase_user("u1", time.time() - HOUR_S)
    ingest.drain()
    after = shop.user()
    since_s = time.time() - HOUR_S
    ingest._reset("u1", Erasure("u1", ("s1",), since_s), since_s, seq)
    assert shop.user() == after


def test_snapshots_of_the_hour_are_gone_and_those_before_it_are_not(
    shop: Shop, ingest: Ingest
) -> None:
    shop.log.append(told(shop, 4, 2 * HOUR_S))
    ingest.drain()
    ingest.maintain()
    shop.log.append(told(shop, 4, 600.0))
    ingest.drain()
    ingest.maintain()
    ingest._offline.compact(USER_VIEW)
    now_s = time.time()
    last = ingest._offline.user_before("u1", now_s)
    assert last is not None
    assert last.last_s > now_s - HOUR_S
    shop.log.erase_user("u1", now_s - HOUR_S)
    ingest.drain()
    left = ingest._offline.user_before("u1", now_s)
    assert left is not None
    assert left.last_s < now_s - HOUR_S


def test_rankings_of_the_hour_are_deleted_and_older_ones_are_not(shop: Shop) -> None:
    shop.log.append_rankings([RankingRecord("r1", time.time(), "model", ("i1",), "u1", "s1")])
    shop.log.append(told(shop, 1, 2 * HOUR_S))
    seq = shop.log.erase_user("u1", time.time() - HOUR_S)
    assert shop.log.read_rankings(0, 10) == []
    (_, erasure) = shop.log.read(seq - 1, 1)[0]
    assert isinstance(erasure, Erasure)
    assert erasure.since_s == pytest.approx(time.time() - HOUR_S, abs=5)
    assert shop.log.read(0, 10)[0][0] == 1  # the event of two hours ago


async def test_it_is_asked_for_with_the_preferences(tokenizer_path: Any) -> None:
    shop = Service(tokenizer_path)
    body = {"forget_last_hour": True}
    assert (await shop.call("PUT", "/v1/users/ann/preferences", json=body)).status_code == 200
    assert shop.log.erased == [shop.shop.pseudonyms.user("ann")]
    assert shop.log.erased_since == [NOW_S - HOUR_S]
    answer = await shop.call("PUT", "/v1/sessions/s/preferences", json=body)
    assert answer.status_code == 422
    assert "forget_last_hour" in problem(answer)["detail"]
    frozen = {"frozen": True, **body}
    assert (await shop.call("PUT", "/v1/users/ann/preferences", json=frozen)).status_code == 409
    assert len(shop.log.erased) == 1
