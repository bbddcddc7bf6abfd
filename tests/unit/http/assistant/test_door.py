"""The door for assistants, asked by the official client and by hand."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp.shared.exceptions import MCPError

from tests.clients.mcp_client import MODES, Mode, content, mcp_client, text
from tests.support.served import Served
from tests.support.service import PAGE_ORIGIN, RATE_PER_S, Service

_CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "search", "arguments": {"query": "milk"}},
}
_ACCEPTS = {"accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module")
def service(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path, assistant={"enabled": True, "origins": [PAGE_ORIGIN]})


@pytest.fixture(scope="module")
def url(service: Service) -> Iterator[str]:
    served = Served(service.app)
    yield served.url
    served.stop()


def post(url: str, body: Any = _CALL, key: str | None = "rank", **headers: str) -> httpx.Response:
    known = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.post(f"{url}/mcp", json=body, headers={**_ACCEPTS, **known, **headers})


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_of_either_protocol_finds_four_tools_that_change_nothing(
    url: str, mode: Mode
) -> None:
    async with mcp_client(url, "rank", mode) as client:
        tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == ["search", "recommend", "similar", "explain"]
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools)


@pytest.mark.parametrize("mode", MODES)
async def test_a_search_answers_what_the_endpoint_does_and_tells_what_items_are(
    service: Service, url: str, mode: Mode
) -> None:
    arguments = {"query": "whole milk", "user_context": "under 2 dollars"}
    async with mcp_client(url, "rank", mode) as client:
        found = content(await client.call_tool("search", arguments))
    answered = (await service.post("/v1/search", arguments)).json()
    facts = ("title", "brand", "category", "price", "currency", "available")
    told = [{name: item.pop(name) for name in facts} for item in found["items"]]
    assert told[0] == {
        "title": "Whole milk", "brand": "Meadow", "category": "Grocery > Dairy > Milk",
        "price": 1.2, "currency": None, "available": True,
    }  # fmt: skip
    assert all(item["price"] < 2 for item in told)
    assert {**found, "ranking_id": ""} == {**answered, "ranking_id": ""}


async def test_what_was_read_stands_in_the_text_as_well(url: str) -> None:
    arguments = {"query": "milk", "user_context": "no Oatly, for volcanologists"}
    async with mcp_client(url, "rank") as client:
        said = text(await client.call_tool("search", arguments))
    assert 'All of them meet "no Oatly".' in said
    assert 'Not used: "for volcanologists" (not_understood).' in said
    assert "Whole milk, Meadow, 1.20 (item_id milk)" in said
    assert "Oat drink" not in said


async def test_items_are_recommended_for_a_cart_and_none_of_it(url: str) -> None:
    async with mcp_client(url, "rank") as client:
        found = content(
            await client.call_tool("recommend", {"cart_item_ids": ["milk"], "limit": 3})
        )
    assert found["items"]
    assert "milk" not in {item["item_id"] for item in found["items"]}


async def test_items_like_one_are_others_and_tell_what_they_are(url: str) -> None:
    async with mcp_client(url, "rank") as client:
        found = content(await client.call_tool("similar", {"item_id": "milk", "limit": 3}))
    assert len(found["items"]) == 3
    assert "milk" not in {item["item_id"] for item in found["items"]}
    assert all(item["title"] for item in found["items"])


async def test_an_explanation_tells_relevance_and_the_words_that_an_item_meets(url: str) -> None:
    arguments = {"item_ids": ["milk", "oat"], "query": "milk", "user_context": "under 3 dollars"}
    async with mcp_client(url, "rank") as client:
        found = content(await client.call_tool("explain", arguments))
    best = found["items"][0]
    assert best["item_id"] == "milk"
    assert best["explanation"]["relevance"] > 0
    assert best["explanation"]["user_context"] == ["under 3 dollars"]


@pytest.mark.parametrize(
    ("tool", "arguments", "status", "detail"),
    [
        ("search", {}, 422, "query"),
        ("search", {"query": "milk", "limit": "many"}, 422, "limit"),
        ("search", {"query": "milk", "colour": "red"}, 422, "colour"),
        ("search", {"query": "milk", "cursor": "?"}, 422, "cursor"),
        ("search", {"query": "milk", "user_context": "x" * 513}, 422, "user_context"),
        ("similar", {"item_id": "no-such"}, 404, "item_id"),
        ("explain", {"item_ids": []}, 422, "item_ids"),
        ("explain", {"item_ids": ["milk", "oat", "milk"]}, 422, "item_ids: item_id 'milk' stands"),
        ("explain", {"item_ids": ["milk", 10**30]}, 422, "item_ids"),
        ("search", {"query": "milk", "limit": 10**30}, 422, "limit"),
        ("search", {"query": "milk", "filters": {"max_price": -(10**30)}}, 422, "filters"),
        ("recommend", {"seed_item_ids": ["a"], "cart_item_ids": ["b"]}, 422, "seed_item_ids"),
    ],
)
async def test_what_is_wrong_with_arguments_is_a_problem_document_that_names_the_field(
    url: str, tool: str, arguments: dict[str, Any], status: int, detail: str
) -> None:
    async with mcp_client(url, "rank") as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    problem = result.structured_content
    assert set(problem) == {"type", "title", "status", "detail", "code", "request_id"}
    assert problem["status"] == status
    assert detail in problem["detail"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_tool_that_there_is_not_is_an_error_that_names_those_there_are(
    url: str, mode: Mode
) -> None:
    async with mcp_client(url, "rank", mode) as client:
        with pytest.raises(MCPError, match="search, recommend, similar, explain"):
            await client.call_tool("buy", {})


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        (None, 401, "unauthenticated"),
        ("nobody", 401, "unauthenticated"),
        ("events", 403, "forbidden"),
    ],
)
async def test_a_key_that_is_wrong_gets_what_every_endpoint_answers(
    url: str, key: str | None, status: int, code: str
) -> None:
    answer = post(url, key=key)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    with pytest.raises(Exception):  # noqa: B017, PT011  (whatever the client makes of it)
        async with mcp_client(url, key) as client:
            await client.list_tools()


def test_a_publishable_key_in_the_url_opens_nothing(url: str) -> None:
    answer = httpx.post(f"{url}/mcp?key=page", json=_CALL, headers=_ACCEPTS)
    assert answer.status_code in (401, 403)


async def test_messages_count_towards_the_rate_of_their_key(service: Service) -> None:
    calls = (
        service.call("POST", "/mcp", "slow", json=_CALL, headers=_ACCEPTS)
        for _ in range(20 * RATE_PER_S)
    )
    answers = await asyncio.gather(*calls)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(answers) - len(refused) >= RATE_PER_S
    assert refused
    assert refused[0].json()["code"] == "rate_limited"
    assert int(refused[0].headers["retry-after"]) >= 1


def test_a_page_of_a_strange_origin_is_refused_and_a_listed_one_is_answered(url: str) -> None:
    strange = post(url, origin="https://evil.example")
    assert (strange.status_code, strange.json()["code"]) == (403, "forbidden")
    assert post(url, origin=PAGE_ORIGIN).status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_nothing_but_messages_is_taken(url: str, method: str) -> None:
    answer = httpx.request(method, f"{url}/mcp", headers={"authorization": "Bearer rank"})
    assert answer.status_code == 405


@pytest.mark.parametrize("body", ["", "{", "[]", "[1]", "null", '{"jsonrpc": "2.0"}', "\x00"])
def test_what_is_no_message_is_refused_without_a_failure_of_ours(url: str, body: str) -> None:
    headers = {**_ACCEPTS, "authorization": "Bearer rank", "content-type": "application/json"}
    answer = httpx.post(f"{url}/mcp", content=body, headers=headers)
    assert 400 <= answer.status_code < 500


def test_a_message_that_is_too_long_is_refused_as_everywhere(url: str) -> None:
    answer = post(url, {**_CALL, "id": "x" * 1024 * 1024})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_no_session_is_kept_so_any_replica_answers_any_message(url: str) -> None:
    answer = post(url, **{"mcp-session-id": "of-another-replica"})
    assert answer.status_code == 200
    assert "mcp-session-id" not in answer.headers
    assert answer.json()["result"]["structuredContent"]["items"][0]["item_id"] == "milk"


async def test_a_door_that_is_not_switched_on_is_not_there(tokenizer_path: Path) -> None:
    answer = await Service(tokenizer_path).post("/mcp", _CALL)
    assert answer.status_code == 404
