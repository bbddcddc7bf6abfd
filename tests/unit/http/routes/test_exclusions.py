"""What one shopper is not shown is in no answer of any endpoint."""

from typing import Any

import pytest

from features.events.event import EventType
from tests.support.fakes import state
from tests.support.service import Service, candidates, ids

BOUGHT = {"filters": {"exclude_bought": True}}
OFFERED = {"candidates": candidates("milk", "oat", "who")}


@pytest.fixture
def shop(tokenizer_path: Any) -> Service:
    """`ann` has bought milk and "who", which the catalogue does not have, and, in session `s`,
    oat."""
    shop = Service(tokenizer_path)
    names, kind = shop.shop.pseudonyms, EventType.PURCHASE
    shop.shoppers.users[str(names.user("ann"))] = state("milk", "who", kind=kind, items=shop.items)
    shop.shoppers.sessions[str(names.session("s"))] = state("oat", kind=kind, user=False)
    return shop


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/rank", OFFERED),
        ("/v1/search", {"query": "milk"}),
        ("/v1/search", {"query": ""}),
        ("/v1/search", {"query": "", "sort": "price_asc"}),
        ("/v1/recommend", {"limit": 50}),
        ("/v1/recommend", {"seed_item_ids": ["butter"], "limit": 50}),
    ],
)
async def test_what_was_bought_is_left_out(shop: Service, path: str, body: dict[str, Any]) -> None:
    before = ids(await shop.post(path, {**body, "user_id": "ann"}))
    assert "milk" in before
    answer = await shop.post(path, {**body, **BOUGHT, "user_id": "ann"})
    assert set(before) - set(ids(answer)) >= {"milk"}
    assert not {"milk", "who"} & set(ids(answer))
    assert answer.json()["exclude_bought"] == "applied"


async def test_a_purchase_of_the_session_counts_too(shop: Service) -> None:
    body = {**OFFERED, **BOUGHT, "user_id": "ann", "session_id": "s"}
    assert ids(await shop.post("/v1/rank", body)) == []
    assert "oat" in ids(await shop.post("/v1/rank", {**OFFERED, **BOUGHT, "user_id": "ann"}))


async def test_similar_items_may_be_asked_for_without_what_was_bought(shop: Service) -> None:
    path = "/v1/items/oat/similar?limit=50&user_id=ann"
    assert "milk" in ids(await shop.call("GET", path))
    answer = await shop.call("GET", f"{path}&exclude_bought=true")
    assert "milk" not in ids(answer)
    assert answer.json()["exclude_bought"] == "applied"


async def test_days_bound_which_purchases_are_meant(shop: Service) -> None:
    body = {**OFFERED, "user_id": "ann", "filters": {"exclude_bought": {"within_days": 0.0001}}}
    assert "milk" in ids(await shop.post("/v1/rank", body))  # bought minutes, not seconds ago
    body["filters"] = {"exclude_bought": {"within_days": 1}}
    assert ids(await shop.post("/v1/rank", body)) == ["oat"]


async def test_that_there_was_nothing_to_leave_out_is_said(shop: Service) -> None:
    body = {**OFFERED, **BOUGHT}
    for who in ({}, {"user_id": "new"}):
        answer = await shop.post("/v1/rank", {**body, **who})
        assert answer.json()["exclude_bought"] == "unknown_shopper"
        assert len(ids(answer)) == 3
    shop.shoppers.error = OSError("down")
    answer = await shop.post("/v1/rank", {**body, "user_id": "ann"})
    assert answer.json()["exclude_bought"] == "features_unavailable"
    assert "exclude_bought" not in (await shop.post("/v1/rank", OFFERED)).json()


@pytest.mark.parametrize("value", [{"within_days": 0}, {"within_days": None}, {}, "yes", 1])
async def test_purchases_of_no_time_are_refused(shop: Service, value: Any) -> None:
    answer = await shop.post("/v1/rank", {**OFFERED, "filters": {"exclude_bought": value}})
    assert answer.status_code == 422
    assert "filters.exclude_bought" in answer.json()["detail"]
