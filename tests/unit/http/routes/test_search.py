"""Pages, orders, facets and the empty answer of `/v1/search`."""

from typing import Any

import pytest

from serving.shops.rules import Rules
from tests.support.service import Service, ids, problem

PATHS = {"vectors_path": "x", "neighbors_path": "x"}


@pytest.fixture
def shop(tokenizer_path: Any) -> Service:
    return Service(tokenizer_path)


@pytest.mark.parametrize("drawn", [0.0, 1.0], ids=["as usual", "drawn"])
async def test_pages_of_a_cursor_hold_every_item_once(tokenizer_path: Any, drawn: float) -> None:
    sampling = {"share": drawn, "temperature": 5.0, "among": 10}
    rules = Rules.model_validate({"exploration": {"share": 0, "sampling": sampling}})
    shop = Service(tokenizer_path, rules=rules)
    seen: list[str] = []
    cursor = None
    while True:
        body = {"query": "", "limit": 3, "cursor": cursor}
        answer = await shop.post("/v1/search", body)
        seen += ids(answer)
        cursor = answer.json()["cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(item.item_id for item in shop.items.table.items)


async def test_an_offset_leaves_places_out(shop: Service) -> None:
    whole = ids(await shop.post("/v1/search", {"query": "", "sort": "price_asc"}))
    rest = ids(await shop.post("/v1/search", {"query": "", "sort": "price_asc", "offset": 2}))
    assert rest == whole[2:]
    assert ids(await shop.post("/v1/search", {"query": "", "offset": 1000})) == []


async def test_of_pages_by_offset_only_the_first_is_left_to_chance(tokenizer_path: Any) -> None:
    sampling = {"share": 1, "temperature": 5.0, "among": 10}
    rules = Rules.model_validate({"exploration": {"share": 0.5, "sampling": sampling}})
    shop, usual = Service(tokenizer_path, rules=rules), Service(tokenizer_path)

    async def page(shop: Service, offset: int) -> Any:
        body = {"query": "", "limit": 3, "offset": offset, "explain": True}
        return await shop.post("/v1/search", body)

    drawn = {tuple(ids(await page(shop, 0))) for _ in range(10)}
    assert len(drawn) > 1
    for offset in (1, 3):
        answers = [await page(shop, offset) for _ in range(10)]
        assert {tuple(ids(each)) for each in answers} == {tuple(ids(await page(usual, offset)))}
        propensities = [item["propensity"] for each in answers for item in each.json()["items"]]
        assert set(propensities) == {1}


async def test_a_cursor_goes_on_where_more_was_found_than_is_ranked(tokenizer_path: Any) -> None:
    few = Service(tokenizer_path, retrieval={"candidates": 3, **PATHS})
    for sort in ("relevance", "price_asc"):
        first = await few.post("/v1/search", {"query": "", "limit": 3, "sort": sort})
        assert first.json()["cursor"] is not None, sort
    whole = ids(await few.post("/v1/search", {"query": "", "limit": 8, "sort": "price_asc"}))
    assert len(whole) == 8
    rest = await few.post("/v1/search", {"query": "", "offset": 6, "sort": "price_asc"})
    assert ids(rest) == whole[6:]


async def test_blank_words_are_no_query(shop: Service) -> None:
    body = {"query": "  ", "candidates": [{"item_id": "milk"}, {"item_id": "oat"}]}
    answer = await shop.post("/v1/rank", body)
    assert answer.json()["items"][0]["relevance"] is None


async def test_an_empty_query_browses_what_the_filters_let_through(shop: Service) -> None:
    body = {"query": "  ", "filters": {"category": "grocery"}, "facets": ["brand", "price"]}
    answer = await shop.post("/v1/search", body)
    assert set(ids(answer)) == {"milk", "oat", "butter", "bread"}
    told = answer.json()
    assert told["total"] == 4
    assert told["facets"]["brand"] == {"Meadow": 2, "Oatly": 1, "Crust": 1}
    assert told["prices"] == {"min": 1.2, "max": 3.5, "mean": 2.5, "currency": None}
    assert told["items"][0]["relevance"] is None


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("price_asc", ["milk", "oat", "butter", "bread"]),
        ("price_desc", ["bread", "butter", "oat", "milk"]),
    ],
)
async def test_a_search_can_be_sorted_by_price(
    shop: Service, sort: str, expected: list[str]
) -> None:
    body = {"query": "", "sort": sort, "filters": {"category": "Grocery"}}
    answer = await shop.post("/v1/search", body)
    assert ids(answer) == expected
    assert answer.json()["reason"] == "sorted"
    scores = [item["score"] for item in answer.json()["items"]]
    assert scores == sorted(scores, reverse=True)


async def test_sorting_by_price_leaves_out_what_is_half_as_relevant(shop: Service) -> None:
    assert ids(await shop.post("/v1/search", {"query": "whole milk", "sort": "price_asc"})) == [
        "milk"
    ]


async def test_what_comes_nearest_is_told_when_nothing_matches(tokenizer_path: Any) -> None:
    strict = Service(tokenizer_path, pipeline={"relevance_floor": 0.999})
    answer = await strict.post("/v1/search", {"query": "summer clothing", "suggestions": True})
    told = answer.json()
    assert (told["items"], told["reason"], told["total"]) == ([], "no_match", 0)
    nearest = [one["item_id"] for one in told["suggestions"]]
    assert nearest[0] == "dress"
    assert all(0 <= one["relevance"] < 0.999 for one in told["suggestions"])


async def test_a_match_has_no_suggestions(shop: Service) -> None:
    answer = await shop.post("/v1/search", {"query": "whole milk", "suggestions": True})
    assert answer.json()["suggestions"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("cursor", "???"), ("sort", "colour"), ("offset", -1), ("facets", ["x" * 65])],
)
async def test_a_field_that_cannot_be_is_named(shop: Service, field: str, value: Any) -> None:
    answer = await shop.post("/v1/search", {"query": "milk", field: value})
    assert answer.status_code == 422
    assert field in problem(answer)["detail"]


async def test_items_like_an_unknown_one_are_not_made_up(shop: Service) -> None:
    answer = await shop.call("GET", "/v1/items/who/similar")
    assert answer.status_code == 404
    assert problem(answer)["code"] == "unknown_item"


async def test_a_shopper_s_purchases_do_not_lift_what_was_not_asked_for(shop: Service) -> None:
    # The scorer prefers whatever stands last.
    body = {
        "query": "whole milk",
        "user_id": "ann",
        "candidates": [{"item_id": item.item_id} for item in shop.items.table.items],
        "explain": True,
    }
    answer = await shop.post("/v1/rank", body)
    assert ids(answer)[0] == "milk"
    first = answer.json()["items"][0]["explanation"]
    assert first["relevance"] > 0.5
    assert first["match"]["title"] == 1.0


@pytest.mark.parametrize(("query", "texts"), [("milk", 1), ("buttr", 2)])
async def test_only_a_query_that_may_be_misspelt_is_encoded_twice(
    shop: Service, query: str, texts: int
) -> None:
    await shop.post("/v1/search", {"query": query})
    assert shop.encoder.calls == [texts]
