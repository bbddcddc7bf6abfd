"""Pages of other origins: those that a key lists may post events; the snippet is for everyone."""

from pathlib import Path

import pytest

from tests.support.service import PAGE_ORIGIN, RATE_PER_S, Service, problem, view

ASKS = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,traceparent",
}
EVENTS = {"events": [view(user_id=None, session_id="tab")]}


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path)


async def test_a_listed_origin_is_given_leave_to_post_events(shop: Service) -> None:
    headers = {"origin": PAGE_ORIGIN, **ASKS}
    answer = await shop.call("OPTIONS", "/v1/events", None, headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == PAGE_ORIGIN
    assert answer.headers["access-control-allow-methods"] == "POST"
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    assert allowed == ["authorization", "content-type", "traceparent"]
    assert int(answer.headers["access-control-max-age"]) > 0
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", [None, "null", "*", "https://evil.example"])
async def test_any_other_origin_is_given_none(shop: Service, origin: str | None) -> None:
    headers = ASKS if origin is None else {"origin": origin, **ASKS}
    answer = await shop.call("OPTIONS", "/v1/events", None, headers=headers)
    assert (answer.status_code, problem(answer)["code"]) == (403, "forbidden")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "path", ["/v1/rank", "/v1/search", "/v1/items", "/v1/users/ann", "/v1/status", "/vitrine.js"]
)
async def test_no_other_path_is_open_to_other_origins(shop: Service, path: str) -> None:
    answer = await shop.call("OPTIONS", path, None, headers={"origin": PAGE_ORIGIN, **ASKS})
    assert answer.status_code == 405
    for method in ("GET", "POST", "PUT"):
        answer = await shop.call(method, path, headers={"origin": PAGE_ORIGIN})
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_page_can_read_what_became_of_its_post_refusals_too(shop: Service) -> None:
    headers = {"origin": PAGE_ORIGIN}
    answers = [
        await shop.call("POST", "/v1/events", "page", json=EVENTS, headers=headers)
        for _ in range(RATE_PER_S + 3)
    ]
    answers.append(await shop.call("POST", "/v1/events?key=nobody", None, headers=headers))
    answers.append(await shop.call("POST", "/v1/events", "page", content="{", headers=headers))
    assert {answer.status_code for answer in answers} >= {202, 401, 429}
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == PAGE_ORIGIN
        assert "retry-after" in answer.headers["access-control-expose-headers"]
        assert answer.headers["vary"] == "Origin"


async def test_an_answer_to_another_origin_is_not_for_its_page_to_read(shop: Service) -> None:
    for headers in ({"origin": "https://evil.example"}, {}):
        answer = await shop.call("POST", "/v1/events", "events", json=EVENTS, headers=headers)
        assert answer.status_code == 202
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["vary"] == "Origin"


async def test_the_snippet_is_a_script_that_pages_of_any_origin_may_load(shop: Service) -> None:
    answer = await shop.call("GET", "/vitrine.js", None)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "max-age" in answer.headers["cache-control"]
    assert '"use strict"' in answer.text
