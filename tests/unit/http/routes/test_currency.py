"""One currency for filters, orders and facets; what cannot be compared is refused."""

from pathlib import Path
from typing import Any

import pytest

from features.catalog.item import Item
from tests.support.service import Service, ids, problem

EURO = {"currency": "EUR", "rates": {"JPY": 0.006, "USD": 0.9}}
SHELF = [
    Item("free", "Sample bar", category="Bars", price=0),
    Item("jpy", "Matcha bar", category="Bars", price=450, currency="JPY"),  # 2.70
    Item("usd", "Oat bar", category="Bars", price=2, currency="USD"),  # 1.80
    Item("eur", "Nut bar", category="Bars", price=2, currency="EUR"),
]


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    service = Service(tokenizer_path, store={"prices": EURO})
    service.items.upsert(SHELF)
    return service


async def test_prices_are_compared_in_the_shops_currency(shop: Service) -> None:
    async def found(**filters: Any) -> set[str]:
        body = {"candidates": [{"item_id": item.item_id} for item in SHELF], "filters": filters}
        return set(ids(await shop.post("/v1/rank", body)))

    assert await found(max_price=2.5) == {"free", "usd", "eur"}
    assert await found(min_price=1.9) == {"jpy", "eur"}
    assert await found(min_price=0) == {"free", "jpy", "usd", "eur"}
    assert await found(max_price=0) == {"free"}


async def test_orders_and_facets_are_in_the_shops_currency(shop: Service) -> None:
    browsed = {"query": "", "filters": {"category": "Bars"}, "facets": ["price"]}
    answer = await shop.post("/v1/search", {**browsed, "sort": "price_asc"})
    assert ids(answer) == ["free", "usd", "eur", "jpy"]
    assert answer.json()["prices"] == {"min": 0.0, "max": 2.7, "mean": 1.62, "currency": "EUR"}
    answer = await shop.post("/v1/search", {**browsed, "sort": "price_desc"})
    assert ids(answer) == ["jpy", "eur", "usd", "free"]


async def test_a_feature_is_in_the_shops_currency(shop: Service) -> None:
    body = {"candidates": [{"item_id": "jpy"}, {"item_id": "free"}], "explain": "features"}
    items = (await shop.post("/v1/rank", body)).json()["items"]
    features = {item["item_id"]: item["explanation"]["features"] for item in items}
    assert features["jpy"]["item_log_price"] == pytest.approx(0.993, abs=1e-3)
    assert "item_log_price" not in features["free"]


async def test_an_item_in_a_currency_without_a_rate_is_refused_and_the_field_named(
    shop: Service,
) -> None:
    shop.catalog.upsert([Item("eur", "Nut bar", price=2, currency="EUR")])
    good = {"item_id": "yen", "title": "T", "price": 300, "currency": "JPY"}
    bad = {"item_id": "franc", "title": "T", "price": 3, "currency": "CHF"}
    answer = (await shop.call("PUT", "/v1/items", json={"items": [good, bad]})).json()
    assert answer["accepted"] == 1
    (refused,) = answer["rejected"]
    assert (refused["index"], refused["code"]) == (1, "invalid_item")
    assert refused["detail"] == (
        "currency: no rate is known for 'CHF'; this shop knows EUR, JPY, USD"
    )
    changes = {"items": [{"item_id": "eur", "currency": "CHF"}]}
    answer = (await shop.call("PATCH", "/v1/items", json=changes)).json()
    assert answer["rejected"][0]["detail"].startswith("currency:")
    answer = await shop.call("PATCH", "/v1/items/eur", json={"currency": "CHF"})
    assert answer.status_code == 422
    assert problem(answer)["detail"].startswith("currency:")
    lines = b'{"item_id": "franc", "title": "T", "currency": "CHF"}'
    answer = await shop.call("POST", "/v1/items/import", content=lines)
    assert answer.json()["errors"][0]["detail"].startswith("currency:")
    assert set(shop.catalog.items) == {"eur", "yen"}
    assert shop.catalog.items["eur"] == Item("eur", "Nut bar", price=2, currency="EUR")


async def test_a_shop_that_names_no_currency_takes_any(tokenizer_path: Path) -> None:
    service = Service(tokenizer_path)
    items = [{"item_id": "a", "title": "T", "price": 3, "currency": "CHF"}]
    answer = await service.call("PUT", "/v1/items", json={"items": items})
    assert answer.json() == {"accepted": 1, "rejected": []}
