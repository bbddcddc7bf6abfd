"""Prices in one currency, whatever items say."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from features.catalog.item import Item
from features.catalog.prices import Prices
from features.catalog.table import ItemTable

EURO = Prices(currency="EUR", rates={"JPY": 0.0061, "USD": 0.92})


def test_prices_are_compared_in_the_currency_of_the_shop() -> None:
    items = [
        Item("jpy", "x", price=450, currency="JPY"),
        Item("usd", "x", price=5, currency="usd"),
        Item("eur", "x", price=4, currency="EUR"),
        Item("own", "x", price=4),
        Item("chf", "x", price=4, currency="CHF"),
        Item("none", "x", currency="JPY"),
    ]
    table = ItemTable(items, EURO)
    prices = [450 * 0.0061, 5 * 0.92, 4, 4, math.nan, math.nan]
    np.testing.assert_allclose(table.price[:6], prices)
    np.testing.assert_allclose(table.log_price[:6], np.log(prices))
    assert table.facts["usd"].log_price == pytest.approx(math.log(4.6))
    assert table.items[0].price == 450  # as it was told


def test_a_shop_without_a_currency_compares_numbers() -> None:
    table = ItemTable([Item("jpy", "x", price=450, currency="JPY"), Item("eur", "x", price=4)])
    assert table.price[:2].tolist() == [450, 4]


def test_free_is_a_price_without_a_logarithm() -> None:
    table = ItemTable([Item("free", "x", price=0)], EURO)
    assert table.price[0] == 0
    assert np.isnan(table.log_price[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"rates": {"USD": 0.9}},
        {"currency": "EUR", "rates": {"EUR": 1}},
        {"currency": "EUR", "rates": {"USD": 0}},
        {"currency": "EUR", "rates": {"USD": "inf"}},
        {"currency": "eur"},
        {"currency": "EUR", "rates": {"Dollar": 1}},
        {"currency": "EUR", "rate": {}},
    ],
)
def test_rates_that_say_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Prices.model_validate(wrong)
