"""A choice beside an erasure, another choice, a failure, or what ingest is at."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from features.controls.choices import USUAL, Choice, Choices
from features.controls.sqlite_store import SqliteControls
from features.events.event import EventType, sign_in
from features.ingest.export import collected
from features.ingest.loop import Ingest
from features.ingest.priors import category_counts
from serving.shops.rights.export import events_of, sharing_of
from tests.support.fakes import FakeControls
from tests.support.live_shop import Shop
from tests.support.service import Service

OBJECTS = Choice(personal=False, profiling=False)


@pytest.fixture
def choices(shop: Shop) -> Any:
    controls = SqliteControls(shop.settings.store.state / "controls.db")
    yield Choices(controls)
    controls.close()


def test_an_objection_made_after_an_erasure_was_asked_for_outlives_it(
    shop: Shop, ingest: Ingest, choices: Choices
) -> None:
    shop.log.append([shop.event("u1", session_id="5e")])
    ingest.drain()
    shop.log.erase_user("u1")
    choices.change("u1", lambda _: OBJECTS, time.time() + 1)
    ingest.drain()
    choices.follow()
    assert choices.of("u1") == OBJECTS


def test_an_event_told_just_after_an_objection_was_taken_back_is_folded(
    shop: Shop, ingest: Ingest, choices: Choices
) -> None:
    choices.change("u1", lambda _: OBJECTS, time.time())
    shop.log.append([shop.event("u2", session_id="s2")])
    ingest.drain()
    choices.change("u1", lambda _: USUAL, time.time())
    shop.log.append([shop.event("u1", type=EventType.HIDE)])
    ingest.drain()
    assert "u1" in shop.online.read_users(["u1"])


def test_a_choice_whose_mark_was_not_written_is_told_by_the_next_try() -> None:
    class FailsOnce(FakeControls):
        failed = False

        def put(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
            if not self.failed:
                self.failed = True
                raise ConnectionError("away")
            super().put(kind, key, document)

    controls = FailsOnce()
    here, there = Choices(controls), Choices(controls)
    there.follow()
    with pytest.raises(ConnectionError):
        here.change("ab1", lambda _: OBJECTS, 1.0)
    here.change("ab1", lambda _: OBJECTS, 2.0)
    there.follow()
    assert there.of("ab1") == here.of("ab1") == OBJECTS


async def test_of_two_choices_at_once_none_is_lost(tokenizer_path: Path) -> None:
    service, place = Service(tokenizer_path), "/v1/users/ann/preferences"
    answers = await asyncio.gather(
        service.call("PUT", place, json={"personal": False}),
        service.call("PUT", place, json={"frozen": True}),
    )
    assert [answer.status_code for answer in answers] == [200, 200]
    told = (await service.call("GET", place)).json()
    assert (told["personal"], told["frozen"]) == (False, True)


def test_a_copy_has_nothing_of_whom_the_device_was_before(shop: Shop) -> None:
    searched = {"type": EventType.SEARCH, "item_id": None, "query": "a secret"}
    shop.log.append([shop.event(None, session_id="d", **searched)])
    shop.log.append([sign_in(user, "d", time.time()) for user in ("u1", "u2")])

    def copied(user: str) -> list[str | None]:
        pages = events_of(shop.log, user, sharing_of(shop.log, user), 0)
        return [event.query for page in pages for _, event in page]

    assert "a secret" in copied("u1")
    assert "a secret" not in copied("u2")


def test_guests_are_no_shopper_of_a_category(shop: Shop) -> None:
    known = [shop.event(f"u{n}", session_id=None) for n in range(19)]
    shop.log.append([*known, shop.event(None, session_id="g")])
    data = collected(shop.settings.store)
    assert category_counts(data.items, data.events, time.time()) == {}
    shop.log.append([shop.event("u19", session_id=None)])
    data = collected(shop.settings.store)
    assert category_counts(data.items, data.events, time.time())


def test_an_interest_that_a_shopper_deletes_is_deleted_from_the_session_as_well(
    shop: Shop, ingest: Ingest
) -> None:
    shop.log.append([shop.event("u1", session_id="s1") for _ in range(3)])
    ingest.drain()
    assert "b1" in shop.online.read_sessions(["s1"])["s1"].brands
    forget = {"type": EventType.FORGET, "item_id": None, "brand": "b1"}
    shop.log.append([shop.event("u1", session_id=None, **forget)])
    ingest.drain()
    assert "b1" not in shop.online.read_users(["u1"])["u1"].brands
    assert "b1" not in shop.online.read_sessions(["s1"])["s1"].brands
