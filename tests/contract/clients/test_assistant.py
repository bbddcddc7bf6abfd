"""Sentences and the door for assistants, on the real stack with real data."""

from typing import Any

import httpx
import pytest

from loadtests.stack import RunningStack
from serving.local.state_folder import DEV_KEY
from tests.clients.mcp_client import MODES, Mode, content, mcp_client, text


def prices(found: dict[str, Any]) -> list[float]:
    return [item["price"] for item in found["items"]]


@pytest.mark.parametrize("mode", MODES)
async def test_a_search_for_milk_returns_milk(stack: RunningStack, mode: Mode) -> None:
    async with mcp_client(stack.url, DEV_KEY, mode) as client:
        found = content(await client.call_tool("search", {"query": "milk", "limit": 10}))
    assert len(found["items"]) >= 5
    assert all("milk" in item["title"].lower() for item in found["items"][:5])


async def test_a_sentence_leaves_only_milk_under_two_dollars(stack: RunningStack) -> None:
    async with mcp_client(stack.url, DEV_KEY) as client:
        all_prices = prices(
            content(await client.call_tool("search", {"query": "milk", "limit": 50}))
        )
        asked = {"query": "milk", "user_context": "under 2 dollars", "limit": 50}
        found = content(await client.call_tool("search", asked))
    assert max(all_prices) >= 2
    assert found["items"]
    assert max(prices(found)) < 2
    assert all("milk" in item["title"].lower() for item in found["items"][:3])
    (wish,) = found["understood"]["wishes"]
    assert (wish["words"], wish["required"], wish["relaxed"]) == ("under 2 dollars", True, False)


async def test_what_nothing_meets_is_let_go_and_said(stack: RunningStack) -> None:
    asked = {"query": "milk", "user_context": "under 0.02 dollars"}
    async with mcp_client(stack.url, DEV_KEY) as client:
        result = await client.call_tool("search", asked)
    found = content(result)
    assert found["items"]
    assert found["understood"]["wishes"][0]["relaxed"] is True
    assert 'Nothing meets "under 0.02 dollars"' in text(result)


async def test_a_language_that_is_not_read_filters_nothing_and_is_told(stack: RunningStack) -> None:
    async with mcp_client(stack.url, DEV_KEY) as client:
        plain = content(await client.call_tool("search", {"query": "milk"}))
        asked = {"query": "milk", "user_context": "moins de trois euros"}
        found = content(await client.call_tool("search", asked))
    assert {item["item_id"] for item in found["items"]} == {
        item["item_id"] for item in plain["items"]
    }
    assert found["understood"]["not_used"] == [
        {"words": "moins de trois euros", "why": "not_understood"}
    ]


async def test_the_tools_answer_a_known_shopper_by_the_model(stack: RunningStack) -> None:
    shopper = {"user_id": stack.sample["user_id"]}
    item_ids = stack.sample["item_ids"][:5]
    async with mcp_client(stack.url, DEV_KEY) as client:
        recommended = content(await client.call_tool("recommend", {**shopper, "limit": 5}))
        alike = content(await client.call_tool("similar", {"item_id": item_ids[0], "limit": 5}))
        explained = content(await client.call_tool("explain", {**shopper, "item_ids": item_ids}))
    assert (recommended["route"], len(recommended["items"])) == ("model", 5)
    assert item_ids[0] not in {item["item_id"] for item in alike["items"]}
    assert all(item["explanation"]["parts"] for item in explained["items"])
    assert {item["item_id"] for item in explained["items"]} == set(item_ids)


def test_a_wrong_key_is_refused_through_the_proxy_as_well(stack: RunningStack) -> None:
    answer = httpx.post(f"{stack.url}/mcp", json={}, headers={"authorization": "Bearer nobody"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
