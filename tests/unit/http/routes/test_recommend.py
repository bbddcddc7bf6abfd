"""`/v1/recommend` for a cart, and for brands and categories."""

from typing import Any

import numpy as np
import pytest

from features.events.event import EventType
from tests.support.fakes import state
from tests.support.service import Service, ids


@pytest.fixture
def shop(tokenizer_path: Any) -> Service:
    """Bread and glasses lie in one basket with milk, and `ann` has bought oat drink."""
    shop = Service(tokenizer_path)
    table = shop.items.table
    neighbors = np.full((len(table), 1), -1, np.int32)
    neighbors[table.rows(["bread", "glass", "oat"])] = table.row_of["milk"]
    weights = np.where(neighbors >= 0, 0.5, 0.0).astype(np.float32)
    table.set_neighbors(np.full_like(neighbors, -1), weights * 0, neighbors, weights)
    ann = str(shop.shop.pseudonyms.user("ann"))
    shop.shoppers.users[ann] = state("oat", "oat", kind=EventType.PURCHASE, items=shop.items)
    return shop


async def test_a_cart_gets_what_goes_with_it_and_nothing_of_its_kind(shop: Service) -> None:
    body = {"cart_item_ids": ["milk"]}
    answer = await shop.post("/v1/recommend", body)
    assert set(ids(answer)) == {"bread", "glass"}
    assert answer.json()["route"] == "cold_start"
    answer = await shop.post("/v1/recommend", {**body, "user_id": "ann"})
    assert set(ids(answer)) == {"bread", "glass"}
    assert answer.json()["route"] == "model"
    (job,) = shop.scorer.jobs
    assert job.tensors["SESSION_HISTORY_COUNTS"].tolist() == [1]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"cart_item_ids": ["milk"], "seed_item_ids": ["oat"]}, "cart_item_ids"),
        ({"cart_item_ids": ["x"] * 51}, "cart_item_ids"),
        ({"cart_item_ids": [""]}, "cart_item_ids.0"),
    ],
)
async def test_carts_that_cannot_be_read_are_refused(
    shop: Service, fields: dict[str, Any], named: str
) -> None:
    answer = await shop.post("/v1/recommend", fields)
    assert answer.status_code == 422
    assert named in answer.json()["detail"]


async def test_brands_are_the_shoppers_own_first(shop: Service) -> None:
    answer = (await shop.post("/v1/recommend/brands", {"user_id": "ann", "limit": 2})).json()
    assert answer["reason"] is None
    assert answer["values"][0] | {"score": 0} == {
        "value": "Oatly", "score": 0, "taste": 1.0, "popularity": 0.0,
    }  # fmt: skip
    assert len(answer["values"]) == 2


async def test_categories_are_of_the_level_and_the_filters(shop: Service) -> None:
    body = {"user_id": "ann", "level": 2, "filters": {"category": "grocery"}}
    answer = (await shop.post("/v1/recommend/categories", body)).json()
    found = [value["value"] for value in answer["values"]]
    assert found == ["Grocery > Dairy", "Grocery > Bakery"]


async def test_strangers_get_popular_brands_and_are_told(shop: Service) -> None:
    answer = (await shop.post("/v1/recommend/brands", {})).json()
    assert answer["reason"] == "new_shopper"
    assert {value["taste"] for value in answer["values"]} == {0.0}
    shop.shoppers.error = OSError("down")
    answer = (await shop.post("/v1/recommend/brands", {"user_id": "ann"})).json()
    assert answer["reason"] == "features_unavailable"


@pytest.mark.parametrize("kind", ["brands", "categories"])
async def test_kinds_need_the_scope_and_known_fields(shop: Service, kind: str) -> None:
    path = f"/v1/recommend/{kind}"
    assert (await shop.post(path, {}, "events")).status_code == 403
    answer = await shop.post(path, {"limit": 0})
    assert (answer.status_code, answer.json()["detail"][:5]) == (422, "limit")
    assert (await shop.post("/v1/recommend/brands", {"level": 1})).status_code == 422
