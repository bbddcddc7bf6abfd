"""What a shopper has hidden is recommended nowhere and stands last where it is asked for."""

from typing import Any

import pytest

from features.behavior.fold import fold
from features.behavior.state import SESSION_BOUNDS, USER_BOUNDS
from features.events.event import BehaviorEvent, EventType
from tests.support.fakes import NOW_S
from tests.support.service import PAGE_ORIGIN, Service, candidates, ids, view

ANN = {"user_id": "ann"}
OFFERED = {"candidates": candidates("milk", "bread", "oat", "who"), **ANN}


@pytest.fixture
def shop(tokenizer_path: Any) -> Service:
    return Service(tokenizer_path)


def tell(shop: Service, kind: EventType, *item_ids: str, user: str | None = "ann") -> None:
    """As if ingest had folded it, a second ago."""
    names = shop.shop.pseudonyms
    state, bounds = (
        (shop.shoppers.users[str(names.user(user))], USER_BOUNDS)
        if user
        else (shop.shoppers.sessions[str(names.session("s"))], SESSION_BOUNDS)
    )
    for item_id in item_ids:
        facts = shop.items.table.facts.get(item_id)
        fold(state, BehaviorEvent("e", kind, NOW_S - 1, item_id=item_id), facts, bounds)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/recommend", {"limit": 50}),
        ("/v1/recommend", {"seed_item_ids": ["butter"], "limit": 50}),
        ("/v1/recommend", {"cart_item_ids": ["bread"], "limit": 50}),
        ("/v1/search", {"query": ""}),
        ("/v1/search", {"query": "", "sort": "price_asc"}),
    ],
)
@pytest.mark.parametrize("who", ["ann", None])
async def test_it_is_left_out_where_items_are_chosen(
    shop: Service, path: str, body: dict[str, Any], who: str | None
) -> None:
    asked = {**body, **(ANN if who else {"session_id": "s"})}
    before = ids(await shop.post(path, asked))
    assert "milk" in before
    tell(shop, EventType.HIDE, "milk", user=who)
    assert set(ids(await shop.post(path, asked))) == set(before) - {"milk"}
    assert "milk" in ids(await shop.post(path, body))  # for nobody else
    tell(shop, EventType.UNHIDE, "milk", user=who)
    assert set(ids(await shop.post(path, asked))) == set(before)


async def test_it_is_not_among_similar_items(shop: Service) -> None:
    path = "/v1/items/oat/similar?limit=50&user_id=ann"
    assert "milk" in ids(await shop.call("GET", path))
    tell(shop, EventType.HIDE, "milk")
    answer = await shop.call("GET", path)
    assert "milk" not in ids(answer)
    assert "exclude_bought" not in answer.json()


@pytest.mark.parametrize("sort", ["relevance", "price_asc", "newest"])
async def test_who_searches_for_it_finds_it_last(shop: Service, sort: str) -> None:
    body = {"query": "milk butter glass", "sort": sort, **ANN, "explain": True}
    before = ids(await shop.post("/v1/search", body))
    hidden = before[0]
    tell(shop, EventType.HIDE, hidden)
    answer = await shop.post("/v1/search", body)
    assert ids(answer) == [*before[1:], hidden]
    *others, last = [item["explanation"]["rules"] for item in answer.json()["items"]]
    assert last == ["hidden by the shopper"]
    assert not any(others)


async def test_candidates_of_the_caller_come_back_whole_with_it_last(shop: Service) -> None:
    before = ids(await shop.post("/v1/rank", OFFERED))
    tell(shop, EventType.HIDE, before[0], "who")  # also one that the catalogue does not have
    left = [item_id for item_id in before if item_id not in (before[0], "who")]
    assert ids(await shop.post("/v1/rank", OFFERED))[: len(left)] == left
    assert sorted(ids(await shop.post("/v1/rank", OFFERED))) == sorted(before)


async def test_brands_and_categories_do_without_it(shop: Service) -> None:
    async def brands() -> list[str]:
        answer = await shop.post("/v1/recommend/brands", {**ANN, "limit": 50})
        return [liked["value"] for liked in answer.json()["values"]]

    assert "Crust" in await brands()
    tell(shop, EventType.HIDE, "bread")  # its only item
    assert "Crust" not in await brands()


async def test_who_has_only_hidden_something_is_a_new_shopper(shop: Service) -> None:
    name = str(shop.shop.pseudonyms.user("new"))
    state = shop.shoppers.users[name] = type(next(iter(shop.shoppers.users.values())))()
    for item_id in ("milk", "oat", "bread"):
        fold(state, BehaviorEvent("e", EventType.HIDE, NOW_S, item_id=item_id), None, USER_BOUNDS)
    answer = await shop.post("/v1/recommend", {"user_id": "new"})
    assert (answer.json()["route"], answer.json()["reason"]) == ("cold_start", "new_shopper")
    assert not {"milk", "oat", "bread"} & set(ids(answer))


@pytest.mark.parametrize("kind", ["hide", "unhide"])
async def test_a_page_may_tell_it_and_it_needs_an_item(shop: Service, kind: str) -> None:
    event = view(type=kind, user_id=None, session_id="s")
    async with shop.client(None) as client:
        answer = await client.post(
            "/v1/events?key=page", json={"events": [event]}, headers={"origin": PAGE_ORIGIN}
        )
    assert answer.json()["accepted"] == 1
    answer = await shop.post("/v1/events", {"events": [view(type=kind, item_id=None)]})
    assert answer.json()["accepted"] == 0
    assert f"a {kind} needs an item_id" in answer.json()["rejected"][0]["detail"]


async def test_an_administrator_is_told_what_is_hidden(shop: Service) -> None:
    tell(shop, EventType.HIDE, "milk", "oat")
    tell(shop, EventType.UNHIDE, "oat")
    answer = await shop.call("GET", "/v1/users/ann/features")
    assert answer.json()["hidden_items"] == ["milk"]
