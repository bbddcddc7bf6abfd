"""A session that turns out to be a user's: told explicitly, and by a ranking that names both."""

from datetime import UTC, datetime
from typing import Any

import pytest

from features.events.event import EventType
from tests.support.fakes import NOW_S
from tests.support.service import Service, problem


@pytest.fixture
def shop(tokenizer_path: Any) -> Service:
    return Service(tokenizer_path)


async def test_a_merge_is_durable_once_and_names_nobody(shop: Service) -> None:
    for _ in range(2):
        answer = await shop.post("/v1/users/ann@example.org/merge", {"session_id": "cookie-77"})
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    (event,) = shop.log.events.values()
    names = shop.shop.pseudonyms
    assert event.type is EventType.SIGN_IN
    assert event.user_id == names.user("ann@example.org")
    assert event.session_id == names.session("cookie-77")
    assert "ann" not in repr(event)
    assert "cookie" not in repr(event)


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "session_id"), ({"session_id": ""}, "session_id"), ({"session_id": "s", "x": 1}, "x")],
)
async def test_a_bad_merge_names_the_field_and_changes_nothing(
    shop: Service, body: dict[str, Any], field: str
) -> None:
    answer = await shop.post("/v1/users/ann/merge", body)
    assert answer.status_code == 422
    assert field in problem(answer)["detail"]
    assert shop.log.events == {}


@pytest.mark.parametrize(("key", "status"), [("events", 202), ("rank", 403), ("admin", 403)])
async def test_a_merge_needs_the_scope_of_events(shop: Service, key: str, status: int) -> None:
    answer = await shop.post("/v1/users/ann/merge", {"session_id": "s"}, key=key)
    assert answer.status_code == status


async def test_a_sign_in_may_be_posted_as_an_event(shop: Service) -> None:
    at = datetime.fromtimestamp(NOW_S, UTC).isoformat()
    one = {"event_id": "e1", "type": "sign_in", "at": at, "user_id": "ann"}
    both = {**one, "event_id": "e2", "session_id": "s"}
    taken = (await shop.post("/v1/events", {"events": [one, both]})).json()
    assert taken["accepted"] == 1
    assert "session_id" in taken["rejected"][0]["detail"]
