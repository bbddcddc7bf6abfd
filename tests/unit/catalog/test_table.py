"""The catalogue as columns."""

import numpy as np

from features.catalog.item import Item
from features.catalog.table import MAX_WORDS, ItemTable


def test_attributes_and_description_tell_taste_and_a_long_text_is_cut() -> None:
    words = " ".join(f"word{number}" for number in range(2 * MAX_WORDS))
    shop = ItemTable([Item("red", "Red mug")])
    shop.upsert([Item("new", "Vase", description=words, attributes={"colour": "red"})])
    found, code = shop.words[1], shop.word_code
    assert found[:3].tolist() == [code["vase"], code["red"], code["word0"]]
    assert (found >= 0).all()


def test_a_filter_finds_categories_below_the_level_that_features_keep() -> None:
    path = "Home > Kitchen > Coffee > Grinders > Manual"
    shop = ItemTable([Item("a", "Mill", category=path), Item("b", "Pot", category="home>kitchen")])
    rows = shop.rows(["a", "b", "gone"])
    assert shop.in_category(rows, "home > kitchen > coffee > GRINDERS").tolist() == [1, 0, 0]
    assert shop.in_category(rows, "Home>Kitchen").tolist() == [1, 1, 0]
    assert shop.in_category(rows, "Garden").tolist() == [0, 0, 0]
    assert (shop.category[0] >= 0).all()  # as before: three levels, by their exact writing
    assert len(shop.category_code) == 5


def test_brands_meet_in_any_capitals_and_several_may_be_asked_for() -> None:
    names = {"a": "Sony", "b": "SONY ", "c": "\uff33\uff2f\uff2e\uff39", "d": "Bose", "e": ""}
    shop = ItemTable([Item(item_id, "x", brand=name) for item_id, name in names.items()])
    rows = shop.rows([*names, "gone"])
    assert shop.of_brand(rows, "sony").tolist() == [1, 1, 1, 0, 0, 0]
    assert shop.of_brand(rows, "BOSE", "nobody").tolist() == [0, 0, 0, 1, 0, 0]
    assert not shop.of_brand(rows, "", "no").any()
    assert not shop.of_brand(rows).any()
    assert len(set(shop.brand[:4].tolist())) == 4  # what the ranker learnt is not merged


def test_filters_follow_an_item_that_changes_and_know_an_empty_catalogue() -> None:
    nothing = np.array([-1, -1])
    assert not ItemTable().in_category(nothing, "Home").any()
    assert not ItemTable().of_brand(nothing, "Sony").any()
    shop = ItemTable([Item("a", "x", category="Home", brand="Sony")])
    shop.upsert([Item("a", "x", category="Garden", brand="Bose")])
    shop.upsert([Item(f"n{number}", "x", category="Garden > Tools") for number in range(40)])
    rows = np.arange(len(shop))
    assert shop.in_category(rows, "garden").all()
    assert not shop.in_category(rows, "home").any()
    assert shop.of_brand(rows, "bose").tolist() == [True] + [False] * 40


def test_a_seller_is_found_however_written_and_as_the_item_says_now() -> None:
    table = ItemTable(
        [
            Item("a", "A", attributes={"size": "1 l", "Seller ": "Ada's"}),
            Item("b", "B", attributes={"seller": " ada\u2019s  "}),
            Item("c", "C", attributes={"seller": "Bob"}),
            Item("d", "D", attributes={"seller": " "}),
            Item("e", "E"),
        ]
    )
    rows = np.array([0, 1, 2, 3, 4, -1])
    assert table.of_seller(rows, "ADA'S").tolist() == [True, False, False, False, False, False]
    assert not table.of_seller(rows, "nobody").any()
    table.upsert([Item("c", "C", attributes={"seller": "ADA'S "}), Item("a", "A")])
    assert table.of_seller(rows, "Ada's").tolist() == [False, False, True, False, False, False]
