"""A sentence beside the query, over HTTP: what it filters, lifts, lets go and tells."""

from pathlib import Path
from typing import Any

import pytest

from features.catalog.item import Item
from serving.ranking import wishes
from serving.shops.rules import Rules
from tests.support.service import NO_EXPLORATION, Service, candidates, ids, problem


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path)


async def understood(shop: Service, path: str, **body: Any) -> tuple[list[str], dict[str, Any]]:
    answer = await shop.post(path, body)
    return ids(answer), answer.json()["understood"]


async def test_a_price_leaves_out_what_is_dearer_wherever_items_are_ranked(shop: Service) -> None:
    for path, body in (
        ("/v1/search", {"query": ""}),
        ("/v1/recommend", {}),
        ("/v1/rank", {"candidates": candidates("milk", "dress", "butter", "unknown")}),
    ):
        found, read = await understood(shop, path, user_context="under 3 euros", **body)
        assert set(found) <= {"milk", "oat", "butter"}
        assert "milk" in found
        assert read["wishes"] == [
            {
                "wanted": "price", "words": "under 3 euros", "required": True, "relaxed": False,
                "attribute": None, "values": [], "min_price": None, "max_price": 2.99,
            }
        ]  # fmt: skip


async def test_filters_of_the_request_hold_as_well(shop: Service) -> None:
    filters = {"category": "Grocery > Dairy > Milk", "min_price": 2}
    found, _ = await understood(
        shop, "/v1/search", query="", filters=filters, user_context="only Meadow or Oatly"
    )
    assert found == ["oat"]


async def test_what_is_unwanted_is_left_out_by_brand_and_by_words(shop: Service) -> None:
    found, _ = await understood(
        shop, "/v1/recommend", user_context="not Meadow, no olive", limit=20
    )
    assert not {"milk", "butter", "soap"} & set(found)
    assert {"oat", "bread"} <= set(found)


async def test_what_is_sold_out_stays_the_requests_own_question(shop: Service) -> None:
    shop.items.upsert([Item("gone", "Cheap mug", price=1.0, available=False)])
    body: dict[str, Any] = {"candidates": candidates("gone", "milk")}
    body["user_context"] = "under 3 euros"
    assert ids(await shop.post("/v1/rank", body)) == ["milk"]
    body["filters"] = {"available": None}
    assert set(ids(await shop.post("/v1/rank", body))) == {"gone", "milk"}


async def test_a_thing_that_is_only_mentioned_lifts_and_leaves_nothing_out(shop: Service) -> None:
    offered = candidates("milk", "oat", "butter", "bread")
    plain = ids(await shop.post("/v1/rank", {"candidates": offered}))
    last_brand = shop.items.table.items[shop.items.table.row_of[plain[-1]]].brand
    found, read = await understood(
        shop, "/v1/rank", candidates=offered, user_context=f"she loves {last_brand}"
    )
    assert sorted(found) == sorted(plain)
    assert found.index(plain[-1]) < len(plain) - 1
    assert [(wish["words"], wish["required"]) for wish in read["wishes"]] == [(last_brand, False)]


async def test_what_nothing_meets_is_let_go_in_turn_and_said(shop: Service) -> None:
    found, read = await understood(
        shop, "/v1/search", query="milk", user_context="Meadow brand, under 1 euro, no oat"
    )
    assert found == ["milk"]
    relaxed = {wish["words"]: wish["relaxed"] for wish in read["wishes"]}
    assert relaxed == {"Meadow brand": True, "under 1 euro": True, "no oat": False}


async def test_what_is_unwanted_is_never_let_go(shop: Service) -> None:
    answer = await shop.post(
        "/v1/rank", {"candidates": candidates("milk", "butter"), "user_context": "not Meadow"}
    )
    assert ids(answer) == []
    assert [wish["relaxed"] for wish in answer.json()["understood"]["wishes"]] == [False]


async def test_nothing_is_let_go_where_it_would_not_help(shop: Service) -> None:
    answer = await shop.post(
        "/v1/search", {"query": "zzzzzz", "user_context": "under 1 euro", "limit": 5}
    )
    assert ids(answer) == []
    assert answer.json()["reason"] == "no_match"
    assert [wish["relaxed"] for wish in answer.json()["understood"]["wishes"]] == [False]


async def test_explain_tells_the_words_that_each_item_meets(shop: Service) -> None:
    body = {
        "candidates": candidates("milk", "oat"), "explain": True,
        "user_context": "under 3 euros, she loves Oatly",
    }  # fmt: skip
    items = (await shop.post("/v1/rank", body)).json()["items"]
    met = {item["item_id"]: item["explanation"]["user_context"] for item in items}
    assert met == {"milk": ["under 3 euros"], "oat": ["under 3 euros", "Oatly"]}
    rules = {item["item_id"]: item["explanation"]["rules"] for item in items}
    assert rules["oat"] == ['boost +0.5: user_context "Oatly"']


async def test_without_a_sentence_nothing_is_said_and_nothing_is_collected(shop: Service) -> None:
    answer = await shop.post("/v1/search", {"query": "milk", "explain": True})
    assert "understood" not in answer.json()
    assert answer.json()["items"][0]["explanation"]["user_context"] is None
    assert shop.shop.retrieval._reader._names is None


@pytest.mark.parametrize("sentence", ["", "x" * 513, 7, ["under 3"]])
async def test_a_sentence_that_cannot_be_one_is_refused_by_name(
    shop: Service, sentence: Any
) -> None:
    answer = await shop.post("/v1/search", {"query": "milk", "user_context": sentence})
    assert problem(answer)["code"] == "invalid_request"
    assert problem(answer)["detail"].startswith("user_context")


async def test_a_sentence_is_kept_nowhere(shop: Service) -> None:
    await shop.post("/v1/search", {"query": "milk", "user_context": "for my aunt Mathilda"})
    assert "Mathilda" not in repr(shop.log.__dict__)


async def test_what_a_key_may_boost_bounds_no_leaning_and_is_not_widened_by_one(
    tokenizer_path: Path,
) -> None:
    rules: Rules = NO_EXPLORATION
    shop = Service(tokenizer_path, rules=rules)
    boost = {"match": {"brand": "Oatly"}, "lift": wishes._LIFT}
    answer = await shop.post(
        "/v1/rank",
        {"candidates": ["milk", "oat"], "boosts": [boost], "user_context": "she loves Oatly"},
    )
    assert problem(answer)["detail"].startswith("boosts.0.lift")
