"""What is counted of the items that were found."""

import numpy as np

from features.catalog.item import Item
from features.catalog.table import ItemTable
from serving.search.facets import facets_of

TABLE = ItemTable(
    [
        Item("1", "Mug", category="Home > Kitchen", brand="Clay", price=4.0),
        Item("2", "Bowl", category="Home > Kitchen > Bowls", brand="Clay", price=9.0),
        Item("3", "Lamp", category="Home > Light", attributes={"colour": "red"}),
        Item("4", "Thing"),
    ]
)


def test_each_level_of_a_category_counts_its_items() -> None:
    counts = facets_of(TABLE, np.arange(4), ["category"]).counts
    assert counts == {
        "category": {"Home": 3, "Home > Kitchen": 2, "Home > Kitchen > Bowls": 1, "Home > Light": 1}
    }


def test_brands_and_attributes_are_counted_where_items_have_them() -> None:
    counts = facets_of(TABLE, np.arange(4), ["brand", "colour", "size"]).counts
    assert counts == {"brand": {"Clay": 2}, "colour": {"red": 1}, "size": {}}


def test_prices_are_told_as_a_range() -> None:
    assert facets_of(TABLE, np.arange(4), ["price"]).prices == (4.0, 9.0, 6.5)
    assert facets_of(TABLE, np.array([3]), ["price"]).prices is None


def test_writings_of_one_value_are_counted_together() -> None:
    table = ItemTable(
        [Item(str(n), "Mug", brand=brand) for n, brand in enumerate(("NIKE", "Nike", "Nike"))]
        + [Item("9", "Mug", attributes={"Colour": "Red"})]
    )
    counts = facets_of(table, np.arange(4), ["brand", "colour"]).counts
    assert counts == {"brand": {"Nike": 3}, "colour": {"Red": 1}}
