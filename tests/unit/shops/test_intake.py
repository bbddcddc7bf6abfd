"""What the storefront tells: a bad event is refused alone, and raw ids are never stored."""

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.events.event import MAX_AGE_S, MAX_AHEAD_S, EventType
from serving.errors import OverloadedError
from serving.http.routes.events import EventRoutes
from serving.http.schemas.events import EventsRequest, EventsResponse
from serving.models.tokenizer import Tokenizer
from serving.shops.intake import Intake
from serving.shops.items import ItemCache
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.reserve import Reserve
from serving.shops.shop import Shops
from tests.support.fakes import NOW_S, FakeLog, FakeSpace
from tests.support.service import event_import, shop_of

NO_ITEMS = ItemCache(Tokenizer(Path("none is read")), 16)
PSEUDONYMS = Pseudonyms(b"0123456789abcdef")


def at(offset_s: float = 0.0) -> str:
    return datetime.fromtimestamp(NOW_S + offset_s, UTC).isoformat()


def event(event_id: Any = "e1", **fields: Any) -> dict[str, Any]:
    base = {"event_id": event_id, "type": "view", "user_id": "ann", "item_id": "milk", "at": at()}
    return {name: value for name, value in {**base, **fields}.items() if value is not ...}


class Desk:
    """An intake with its log."""

    def __init__(self, **settings: int) -> None:
        self.log = FakeLog()
        self.space = FakeSpace()
        self.intake = Intake(self.log, Reserve(self.space, every_s=0), **settings)
        self.shop = replace(shop_of(NO_ITEMS), intake=self.intake, pseudonyms=PSEUDONYMS)
        self.routes = EventRoutes(Shops([self.shop]), event_import(), lambda: NOW_S)

    async def events(self, *events: Any) -> EventsResponse:
        return await self.routes.take(self.shop, EventsRequest(events=list(events)))


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_good_events_are_stored_with_everything_they_told(desk: Desk) -> None:
    told = event(
        session_id="s", ranking_id="r", position=3, value=9.5, dwell_ms=10, query="q", type="dwell"
    )
    answer = await desk.events(told)
    assert (answer.accepted, answer.duplicates, answer.rejected) == (1, 0, [])
    stored = desk.log.events["e1"]
    assert stored.type is EventType.DWELL
    assert (stored.item_id, stored.query, stored.ranking_id) == ("milk", "q", "r")
    assert (stored.position, stored.value, stored.dwell_ms, stored.at_s) == (3, 9.5, 10, NOW_S)


async def test_raw_ids_are_never_stored(desk: Desk) -> None:
    await desk.events(event(user_id="ann@example.org", session_id="cookie-77"))
    stored = desk.log.events["e1"]
    assert stored.user_id == PSEUDONYMS.user("ann@example.org")
    assert stored.session_id == PSEUDONYMS.session("cookie-77")
    assert "ann" not in repr(stored)
    assert "cookie" not in repr(stored)


@pytest.mark.parametrize(
    ("bad", "code", "field"),
    [
        (event(type="stare"), "invalid_event", "type"),
        (event(event_id=...), "invalid_event", "event_id"),
        (event(event_id=""), "invalid_event", "event_id"),
        (event(event_id="x" * 129), "invalid_event", "event_id"),
        (event(event_id=7), "invalid_event", "event_id"),
        (event(item_id=...), "invalid_event", "item_id"),
        (event(user_id=...), "invalid_event", "user_id"),
        (event(type="search", item_id=...), "invalid_event", "query"),
        (event(type="dwell"), "invalid_event", "dwell_ms"),
        (event(dwell_ms=-1), "invalid_event", "dwell_ms"),
        (event(position=0), "invalid_event", "position"),
        (event(position="3"), "invalid_event", "position"),
        (event(position=10**400), "invalid_event", "position"),
        (event(value=float("nan")), "invalid_event", "value"),
        (event(value=float("inf")), "invalid_event", "value"),
        (event(at="yesterday"), "invalid_event", "at"),
        (event(at="2026-01-01T00:00:00"), "invalid_event", "at"),
        (event(at=1_790_000_000), "invalid_event", "at"),
        (event(at="0001-01-01T00:00:00+14:00"), "event_too_old", "at"),
        (event(at="9999-12-31T23:59:59-14:00"), "event_in_future", "at"),
        (event(at=at(MAX_AHEAD_S + 1)), "event_in_future", "at"),
        (event(at=at(-MAX_AGE_S - 1)), "event_too_old", "at"),
        (event(colour="red"), "invalid_event", "colour"),
        ("an event", "invalid_event", "object"),
        (None, "invalid_event", "object"),
        ([], "invalid_event", "object"),
    ],
)
async def test_a_bad_event_is_rejected_alone_with_its_index_and_field(
    desk: Desk, bad: Any, code: str, field: str
) -> None:
    answer = await desk.events(event("before"), bad, event("after"))
    assert answer.accepted == 2
    assert set(desk.log.events) == {"before", "after"}
    (rejected,) = answer.rejected
    assert (rejected.index, rejected.code) == (1, code)
    assert field in rejected.detail


async def test_a_name_that_the_caller_made_up_is_not_echoed_in_full(desk: Desk) -> None:
    (rejected,) = (await desk.events({**event(), "x" * 100_000: 1})).rejected
    assert len(rejected.detail) < 200


async def test_a_clock_that_is_a_little_fast_is_taken_for_now(desk: Desk) -> None:
    await desk.events(event(at=at(MAX_AHEAD_S - 1)))
    assert desk.log.events["e1"].at_s == NOW_S


async def test_a_repeated_event_changes_nothing(desk: Desk) -> None:
    assert (await desk.events(event("a"), event("a"))).duplicates == 1
    answer = await desk.events(event("a", item_id="oat"))
    assert (answer.accepted, answer.duplicates) == (0, 1)
    assert desk.log.events["a"].item_id == "milk"


async def test_only_bad_events_write_nothing(desk: Desk) -> None:
    desk.log.error = OSError("not to be asked")
    assert (await desk.events("bad")).accepted == 0


async def test_events_that_could_not_be_stored_are_not_accepted(desk: Desk) -> None:
    desk.log.error = OSError("disk full")
    with pytest.raises(OSError, match="disk full"):
        await desk.events(event())


async def test_writes_beyond_what_can_wait_are_refused_at_once_and_only_then() -> None:
    desk = Desk(max_waiting=2)
    desk.log.gate = threading.Event()
    writing = [asyncio.create_task(desk.events(event(f"e{n}"))) for n in range(2)]
    await asyncio.sleep(0.01)
    with pytest.raises(OverloadedError):
        await desk.events(event("e2"))
    desk.log.gate.set()
    await asyncio.gather(*writing)
    assert (await desk.events(event("e3"))).accepted == 1


async def test_a_write_goes_on_when_its_caller_leaves() -> None:
    desk = Desk(max_waiting=1)
    desk.log.gate = threading.Event()
    writing = asyncio.create_task(desk.events(event()))
    await asyncio.sleep(0.01)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    with pytest.raises(OverloadedError):  # it counts until it is done
        await desk.events(event("other"))
    desk.log.gate.set()
    async with asyncio.timeout(5):
        while "e1" not in desk.log.events:  # noqa: ASYNC110 - a thread writes it
            await asyncio.sleep(0.01)
