"""What goes with a cart: other things, none of the cart, and something where little is known."""

from typing import Any

import numpy as np
import pytest

from features.catalog.counters import Counter
from serving.models.tokenizer import Tokenizer
from serving.search.filters import Filters
from serving.search.retrieval import Retrieval
from serving.shops.items import ItemCache
from tests.support.fakes import NOW_S, FakeVectors, groceries

# For each item, what lies in one basket with it, the strongest first.
BASKETS = {
    "milk": {"oat": 0.9, "bread": 0.3},
    "oat": {"milk": 0.9},
    "butter": {"bread": 0.8, "milk": 0.2},
    "bread": {"butter": 0.8, "milk": 0.3},
    "glass": {"milk": 0.1},
}


@pytest.fixture
def items(encoder: Tokenizer) -> ItemCache:
    items = groceries(encoder)
    table = items.table
    neighbors = np.full((len(table), 2), -1, np.int32)
    weights = np.zeros((len(table), 2), np.float32)
    for item_id, sources in BASKETS.items():
        row, n = table.row_of[item_id], len(sources)
        neighbors[row, :n] = table.rows(list(sources))
        weights[row, :n] = list(sources.values())
    table.set_neighbors(np.full_like(neighbors, -1), weights * 0, neighbors, weights)
    return items


def companions(items: ItemCache, *cart: str, **filters: Any) -> list[str]:
    retrieval = Retrieval(items, FakeVectors(items._tokenizer))
    retrieval.update(np.arange(len(items.table)))
    retrieval.refresh_popularity(NOW_S)
    asked = Filters(**filters) if filters else None
    rows = retrieval.companions(cart, asked, 50).rows
    return [items.table.item_ids[row] for row in rows.tolist()]


def test_the_strongest_companion_of_another_category_comes_first(items: ItemCache) -> None:
    # Oat drink lies in most baskets with milk, and is of its category.
    assert companions(items, "milk") == ["bread", "butter", "glass"]


def test_what_goes_with_several_of_the_cart_comes_first(items: ItemCache) -> None:
    assert companions(items, "milk", "butter") == ["bread", "glass"]


def test_of_the_same_category_only_where_there_is_nothing_else(items: ItemCache) -> None:
    assert companions(items, "oat") == ["milk"]


def test_filters_hold_for_companions(items: ItemCache) -> None:
    assert companions(items, "milk", exclude_item_ids=("bread",)) == ["butter", "glass"]


def test_what_is_popular_goes_with_an_unknown_cart(items: ItemCache) -> None:
    items.counters.counts[items.table.row_of["soap"], Counter.PURCHASE] = 5.0
    items.counters.at_s[:] = NOW_S
    assert companions(items, "who")[0] == "soap"
    assert "dress" not in companions(items, "dress")


def test_items_that_the_tables_have_not_met_are_no_companions(items: ItemCache) -> None:
    table = items.table
    table.basket_neighbors = table.basket_neighbors[:4]
    table.basket_neighbor_weights = table.basket_neighbor_weights[:4]
    assert companions(items, "milk") == ["bread", "butter"]
