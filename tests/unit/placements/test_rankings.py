"""A ranking that names its placement: its candidates, rules, version, and what is kept of it."""

from pathlib import Path
from typing import Any

import pytest

from features.controls.shops import DEFAULT_SHOP
from features.events.event import EventType
from serving.shops.rules import Rules
from serving.telemetry.metrics import PLACEMENT_RANKINGS
from tests.support.fakes import GROCERIES, state
from tests.support.service import Service, ids, problem

DECLARED: dict[str, Any] = {
    "exploration": {"share": 0},
    "placements": {
        "plain": {},
        "dairy": {"candidates": {"filters": {"category": ["Grocery > Dairy"]}}},
        "popular": {"candidates": {"strategy": "popular", "at_most": 3}},
        "newest": {"candidates": {"strategy": "new"}},
        "again": {"candidates": {"strategy": "bought_again"}},
        "because": {"candidates": {"strategy": "because"}},
        "because-bought": {"candidates": {"strategy": "because", "of": "bought"}},
        "similar": {"candidates": {"strategy": "similar"}},
        "cart": {"candidates": {"strategy": "cart"}},
        "given": {"candidates": {"strategy": "given"}},
        "grill": {"candidates": {"strategy": "search", "query": "butter"}},
        "pinned": {
            "ranker": "8",
            "rules": {"pins": [{"item_id": "milk", "position": 1, "reason": "ours"}]},
        },
    },
}


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path, rules=Rules.model_validate(DECLARED))


async def recommended(shop: Service, placement: str | None, **fields: Any) -> list[str]:
    body = {"user_id": "ann", "placement": placement, **fields}
    return ids(await shop.post("/v1/recommend", body))


async def test_what_a_sentence_asks_for_is_asked_of_the_items_of_the_placement(
    shop: Service,
) -> None:
    of_the_placement = await recommended(shop, "dairy")
    wanted = await recommended(shop, "dairy", user_context="no butter, please")
    assert "butter" in of_the_placement
    assert set(wanted) == set(of_the_placement) - {"butter"}


async def test_an_unknown_placement_is_named_and_ranks_nothing(shop: Service) -> None:
    answer = await shop.post("/v1/recommend", {"placement": "hom"})
    assert answer.status_code == 422
    assert problem(answer)["detail"].startswith("placement: 'hom' is not declared; declared: plain")
    assert shop.kept.slates == []


async def test_a_placement_without_anything_ranks_as_the_shop_does_and_is_told_apart(
    shop: Service,
) -> None:
    assert await recommended(shop, "plain") == await recommended(shop, None)
    named, unnamed = shop.kept.slates
    assert (named.context.placement, unnamed.context.placement) == ("plain", None)


async def test_rankings_are_counted_by_placement(shop: Service) -> None:
    counted = PLACEMENT_RANKINGS.labels(DEFAULT_SHOP, "plain", "model", "none")
    before = counted._value.get()
    await recommended(shop, "plain")
    await recommended(shop, None)
    assert counted._value.get() == before + 1


async def test_filters_of_the_placement_and_of_the_request_must_both_hold(shop: Service) -> None:
    dairy = {"milk", "oat", "butter"}
    assert set(await recommended(shop, "dairy")) == dairy
    assert set(await recommended(shop, "dairy", filters={"brand": ["Meadow"]})) == {
        "milk",
        "butter",
    }
    assert await recommended(shop, "dairy", filters={"category": "Home"}) == []
    ranked = await shop.post(
        "/v1/rank", {"placement": "dairy", "candidates": ["soap", "oat", "nowhere"]}
    )
    assert ids(ranked) == ["oat"]
    found = await shop.post("/v1/search", {"placement": "dairy", "query": "olive soap"})
    assert ids(found) == []


async def test_popular_items_are_no_more_than_the_placement_asks_for(shop: Service) -> None:
    assert len(await recommended(shop, "popular")) == 3
    assert len(await recommended(shop, "newest")) == len(GROCERIES)


async def test_bought_again_is_what_was_bought_and_nothing_for_who_bought_nothing(
    shop: Service,
) -> None:
    assert await recommended(shop, "again") == []
    names = shop.shop.pseudonyms
    shop.shoppers.users[str(names.user("ann"))] = state("milk", "oat", kind=EventType.PURCHASE)
    assert set(await recommended(shop, "again")) == {"milk", "oat"}


async def test_because_names_what_was_taken_up_last_and_shows_what_is_like_it(
    shop: Service,
) -> None:
    answer = await shop.post("/v1/recommend", {"user_id": "ann", "placement": "because"})
    assert answer.json()["because"] == {"item_id": "oat", "title": "Oat drink", "kind": "viewed"}
    assert "oat" not in ids(answer)
    assert "milk" in ids(answer)
    (job,) = shop.scorer.jobs
    assert job.tensors["SESSION_HISTORY_COUNTS"].tolist() == [1]  # it stands for the session


async def test_because_of_what_was_never_done_shows_nothing_in_its_stead(shop: Service) -> None:
    answer = await shop.post("/v1/recommend", {"user_id": "ann", "placement": "because-bought"})
    assert ids(answer) == []
    assert "because" not in answer.json()


async def test_an_item_that_the_shopper_hides_is_no_reason(shop: Service) -> None:
    names = shop.shop.pseudonyms
    shop.shoppers.sessions[str(names.session("s"))] = state("oat", kind=EventType.HIDE, user=False)
    body = {"user_id": "ann", "session_id": "s", "placement": "because"}
    answer = await shop.post("/v1/recommend", body)
    assert answer.json()["because"]["item_id"] == "milk"


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("recommend", {"placement": "similar"}, "seed_item_ids: 'similar' needs some"),
        ("recommend", {"placement": "cart"}, "cart_item_ids: 'cart' needs some"),
        (
            "recommend",
            {"placement": "popular", "seed_item_ids": ["milk"]},
            "seed_item_ids: 'popular' has candidates that are popular",
        ),
        (
            "recommend",
            {"placement": "given"},
            "placement: 'given' is asked for by /v1/rank",
        ),
        (
            "search",
            {"placement": "popular", "query": "a"},
            "placement: 'popular' is asked for by /v1/recommend",
        ),
        (
            "rank",
            {"placement": "grill", "candidates": ["milk"]},
            "placement: 'grill' is asked for by /v1/search",
        ),
    ],
)
async def test_what_a_placement_cannot_be_asked_names_the_field(
    shop: Service, path: str, body: dict[str, Any], detail: str
) -> None:
    answer = await shop.post(f"/v1/{path}", body)
    assert answer.status_code == 422
    assert problem(answer)["detail"].startswith(detail)


async def test_a_search_without_words_is_for_those_of_the_placement(shop: Service) -> None:
    assert ids(await shop.post("/v1/search", {"placement": "grill", "query": ""}))[0] == "butter"
    assert shop.kept.slates[0].context.query == "butter"
    own = await shop.post("/v1/search", {"placement": "grill", "query": "soap"})
    assert ids(own)[0] == "soap"


async def test_its_rules_and_its_version_rank_there_and_nowhere_else(shop: Service) -> None:
    shop.scorer.loaded = {"8"}
    there = await shop.post("/v1/recommend", {"user_id": "ann", "placement": "pinned"})
    assert there.json()["model_version"] == "8"
    assert ids(there)[0] == "milk"
    elsewhere = await shop.post("/v1/recommend", {"user_id": "ann"})
    assert elsewhere.json()["model_version"] == "7"
    assert ids(elsewhere)[0] != "milk"


async def test_a_version_that_is_not_loaded_is_told(shop: Service) -> None:
    answer = (await shop.post("/v1/recommend", {"user_id": "ann", "placement": "pinned"})).json()
    assert (answer["model_version"], answer["reason"]) == ("7", "version_not_loaded")
    told = (await shop.call("GET", "/v1/versions", "admin")).json()["candidates"]
    assert told == [{"version": "8", "loaded": False, "experiments": [], "placements": ["pinned"]}]
