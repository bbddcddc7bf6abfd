"""Events over HTTP: what a storefront may leave open."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.events.event import BehaviorEvent
from tests.support.fakes import NOW_S
from tests.support.service import Service, view


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path)


async def taken(shop: Service, **fields: Any) -> BehaviorEvent:
    answer = await shop.post("/v1/events", {"events": [view(event_id="e", **fields)]})
    assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": []}
    return shop.log.events["e"]


async def test_an_event_without_a_time_happened_when_it_came_in(shop: Service) -> None:
    event = {name: value for name, value in view(event_id="e").items() if name != "at"}
    answer = await shop.post("/v1/events", {"events": [event, view(event_id="f", at=None)]})
    assert answer.json()["accepted"] == 2
    assert {event.at_s for event in shop.log.events.values()} == {NOW_S}


async def test_a_clock_that_is_ten_minutes_fast_loses_nothing(shop: Service) -> None:
    ahead = datetime.fromtimestamp(NOW_S + 590, UTC).isoformat()
    assert (await taken(shop, at=ahead)).at_s == NOW_S
    too_far = datetime.fromtimestamp(NOW_S + 610, UTC).isoformat()
    answer = await shop.post("/v1/events", {"events": [view(at=too_far)]})
    assert answer.json()["rejected"][0]["code"] == "event_in_future"


async def test_an_empty_text_is_nothing(shop: Service) -> None:
    event = await taken(shop, user_id="", session_id="s", query="", ranking_id="")
    assert event.user_id is None
    assert event.session_id == shop.shop.pseudonyms.session("s")
    assert (event.query, event.ranking_id) == (None, None)


async def test_a_guest_without_a_session_and_a_view_of_nothing_are_refused(shop: Service) -> None:
    events = [view(user_id=""), view(item_id=""), view(event_id="")]
    rejected = (await shop.post("/v1/events", {"events": events})).json()["rejected"]
    assert [each["index"] for each in rejected] == [0, 1, 2]
    for each, word in zip(rejected, ("session_id", "item_id", "event_id"), strict=True):
        assert word in each["detail"]
