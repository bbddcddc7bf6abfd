"""Brands and categories: the shopper's own before what everybody buys, and nothing hidden."""

import numpy as np
import pytest

from features.arrays import BoolArray
from features.behavior.matrix import Shopper
from features.catalog.item import Item
from features.catalog.table import ItemTable
from features.events.event import EventType
from serving.models.tokenizer import Tokenizer
from serving.search.kinds import Kind, Liked, liked
from tests.support.fakes import GROCERIES, groceries, state

TABLE = ItemTable(GROCERIES)
DEMAND = np.array([1, 1, 1, 5, 1, 1, 1, 0], np.float32)  # bread sells best


def of(shopper: Shopper, kind: Kind, keep: BoolArray | None = None) -> list[Liked]:
    return liked(TABLE, shopper, DEMAND, np.ones(len(TABLE), bool) if keep is None else keep, kind)


def names(found: list[Liked]) -> list[str]:
    return [one.name for one in found]


def test_a_stranger_gets_what_is_popular() -> None:
    found = of(Shopper(), Kind())
    assert names(found)[:2] == ["Crust", "Meadow"]
    assert [one.score for one in found] == pytest.approx([one.popularity for one in found])
    assert not any(one.taste for one in found)


def test_a_shopper_gets_what_was_bought_before_what_is_popular(encoder: Tokenizer) -> None:
    items = groceries(encoder)
    user = state("oat", "oat", "milk", kind=EventType.PURCHASE, items=items)
    found = of(Shopper(user), Kind())
    assert names(found)[:3] == ["Oatly", "Meadow", "Crust"]
    assert sum(one.score for one in found) == pytest.approx(1)
    assert sum(one.taste for one in found) == pytest.approx(1)


def test_the_session_of_now_counts_more_than_the_past(encoder: Tokenizer) -> None:
    items = groceries(encoder)
    user = state("oat", "oat", items=items)
    session = state("dress", "dress", items=items, user=False)
    assert names(of(Shopper(user, session), Kind()))[:2] == ["Linen", "Oatly"]


@pytest.mark.parametrize(
    ("level", "first"),
    [(1, "Clothing"), (2, "Clothing > Dresses"), (3, "Grocery > Bakery > Bread")],
)
def test_categories_are_of_one_level(encoder: Tokenizer, level: int, first: str) -> None:
    user = state("dress", "dress", "dress", items=groceries(encoder))
    found = names(of(Shopper(user), Kind(level)))
    assert found[0] == first  # a dress has no third level: there the popular one is first
    assert {name.count(" > ") for name in found} == {level - 1}


def test_only_what_has_an_item_that_may_be_shown_is_named(encoder: Tokenizer) -> None:
    keep = TABLE.in_category(np.arange(len(TABLE)), "Grocery > Dairy")
    user = state("dress", items=groceries(encoder))
    assert set(names(of(Shopper(user), Kind(), keep))) == {"Meadow", "Oatly"}
    assert of(Shopper(user), Kind(), np.zeros(len(TABLE), bool)) == []


def test_a_catalogue_that_grows_meanwhile_is_read_as_far_as_it_is_known() -> None:
    table = ItemTable(GROCERIES)
    keep = np.ones(len(table), bool)
    table.upsert([Item("new", "New thing", brand="New")])
    assert "New" not in [one.name for one in liked(table, Shopper(), DEMAND[:3], keep, Kind())]
