"""A request may lift and lower items as far as its key allows, and no further."""

from typing import Any

import pytest

from tests.support.service import Service, candidates, ids

OFFERED = ("plain", "glass", "bread", "milk", "oat")  # without boosts the last one is the best


@pytest.fixture
def shop(tokenizer_path: Any) -> Service:
    return Service(tokenizer_path)


def boost(lift: float, **match: Any) -> dict[str, Any]:
    return {"match": match, "lift": lift}


async def rank(shop: Service, *boosts: dict[str, Any], **fields: Any) -> Any:
    body = {"candidates": candidates(*OFFERED), "user_id": "ann", "boosts": boosts, **fields}
    return await shop.post("/v1/rank", body, "boosts")


async def test_a_boost_lifts_what_it_matches_and_is_explained(shop: Service) -> None:
    assert ids(await rank(shop)) == ["oat", "milk", "bread", "glass", "plain"]
    answer = await rank(shop, boost(2, item_id="bread"), explain=True)
    assert ids(answer)[0] == "bread"
    first, *others = [item["explanation"]["rules"] for item in answer.json()["items"]]
    assert first == ["boost +2: asked for with the request"]
    assert not any(others)


async def test_boosts_together_move_an_item_no_further_than_one(shop: Service) -> None:
    one = await rank(shop, boost(2, item_id="bread"))
    many = await rank(shop, *[boost(2, item_id="bread")] * 10)
    assert many.json()["items"] == one.json()["items"]


async def test_recommendations_and_searches_take_boosts(shop: Service) -> None:
    boosts = [boost(-2, category="grocery"), boost(2, brand="CLEAR")]
    found = await shop.post("/v1/recommend", {"user_id": "ann", "boosts": boosts}, "boosts")
    assert ids(found)[0] == "glass"
    body = {"query": "", "user_id": "ann", "boosts": boosts}
    assert ids(await shop.post("/v1/search", body, "boosts"))[0] == "glass"


async def test_a_boost_lifts_nothing_past_what_is_more_relevant(shop: Service) -> None:
    answer = await rank(shop, boost(2, item_id="plain"), query="whole milk")
    assert ids(answer)[0] == "milk"


async def test_a_key_that_allows_none_is_refused_with_the_field(shop: Service) -> None:
    body = {"candidates": candidates("milk"), "boosts": [boost(0.1, brand="Meadow")]}
    answer = await shop.post("/v1/rank", body, "rank")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert answer.json()["detail"] == "boosts.0.lift: this key allows none (max_boost)"
    assert shop.kept.slates == []


@pytest.mark.parametrize("lift", [2.1, -2.1])
async def test_more_than_the_key_allows_is_refused_with_the_field(
    shop: Service, lift: float
) -> None:
    answer = await rank(shop, boost(2, brand="Meadow"), boost(lift, brand="Meadow"))
    assert answer.status_code == 403
    assert answer.json()["detail"] == "boosts.1.lift: this key allows at most 2 (max_boost)"


@pytest.mark.parametrize(
    ("boosts", "named"),
    [
        ([{"match": {}, "lift": 1}], "boosts.0.match"),
        ([{"match": {"query_contains": "x"}, "lift": 1}], "boosts.0.match.query_contains"),
        ([{"match": {"brand": "x"}}], "boosts.0.lift"),
        ([{"match": {"brand": "x"}, "lift": 11}], "boosts.0.lift"),
        ([{"match": {"brand": "x"}, "lift": 1}] * 11, "boosts"),
    ],
)
async def test_boosts_that_mean_nothing_are_refused(
    shop: Service, boosts: list[dict[str, Any]], named: str
) -> None:
    answer = await rank(shop, *boosts)
    assert answer.status_code == 422
    assert named in answer.json()["detail"]
