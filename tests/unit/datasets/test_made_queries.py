"""Made grocery queries: judged by product type, in wordings that are what they say they are."""

import random

import pandas as pd
import pytest

from features.datasets.grocery.importer import import_grocery
from features.datasets.grocery.judging import NEEDS, answering, unmatched
from features.datasets.grocery.queries import MadeQuery, made_queries, query_table
from features.datasets.grocery.sizes import PackSize
from features.datasets.grocery.wording import misspelt, one_edit, other_number


@pytest.fixture(scope="module")
def items() -> pd.DataFrame:
    return import_grocery(n_items=2_000).items


@pytest.fixture(scope="module")
def made(items: pd.DataFrame) -> list[MadeQuery]:
    return made_queries(items)


def test_the_shelf_judges_and_not_the_words() -> None:
    shelves = ["Food > Dog Food > Canned Dog Food", "Meat > Hot Dogs > Beef", "Candy > Milk Candy"]
    assert answering(NEEDS["hot dogs"], shelves).tolist() == [False, True, False]
    assert answering(NEEDS["dog food"], shelves).tolist() == [True, False, False]
    assert not answering(NEEDS["milk"], shelves).any()


def test_a_pattern_is_levels_in_a_row_and_takes_away_after_an_exclamation_mark() -> None:
    shelves = ["A > B > C", "A > C", "A > B > D"]
    assert answering("A > B", shelves).tolist() == [True, False, True]
    assert answering("A; !D", shelves).tolist() == [True, True, False]
    assert unmatched("A; X*; !B", shelves) == ["X*"]


@pytest.mark.slow
def test_every_pattern_of_a_need_names_a_shelf_of_the_full_catalogue() -> None:
    shelves = import_grocery().items["category"].tolist()
    dead = {need: unmatched(types, shelves) for need, types in NEEDS.items()}
    assert {need: patterns for need, patterns in dead.items() if patterns} == {}


def test_the_same_items_and_seed_make_the_same_queries(
    items: pd.DataFrame, made: list[MadeQuery]
) -> None:
    assert made_queries(items) == made
    assert {one.query for one in made_queries(items, seed=8)} != {one.query for one in made}


def test_all_kinds_are_there_and_only_what_is_absent_has_no_answer(made: list[MadeQuery]) -> None:
    kinds = {"type", "everyday", "plural", "misspelt", "brand_type", "size", "title", "absent"}
    assert {one.kind for one in made} == kinds
    assert {one.kind for one in made if not one.relevant} == {"absent"}
    assert len({one.query for one in made}) == len(made)


def test_the_halves_have_no_type_in_common(items: pd.DataFrame, made: list[MadeQuery]) -> None:
    shelf = dict(zip(items["item_id"], items["category"], strict=True))
    typed = [one for one in made if one.kind not in ("title", "absent")]
    halves = [{shelf[i] for one in typed if one.split == half for i in one.relevant}
              for half in ("dev", "test")]  # fmt: skip
    assert halves[0]
    assert halves[1]
    assert not halves[0] & halves[1]


def test_brand_and_size_narrow_what_answers(items: pd.DataFrame, made: list[MadeQuery]) -> None:
    rows = items.set_index("item_id")
    for one in made:
        chosen = rows.loc[list(one.relevant)]
        if one.kind == "brand_type":
            assert set(chosen["brand"]) == {"Store Brand"}
        if one.kind == "size":
            sizes = [PackSize.of(title) for title in chosen["title"]]
            assert len({size.each for size in sizes if size}) == 1
            assert None not in sizes


def test_the_table_has_a_row_for_each_item_that_answers(made: list[MadeQuery]) -> None:
    table = query_table(made)
    assert (table["gain"] == 1.0).sum() == sum(len(one.relevant) for one in made)
    assert set(table.loc[table["gain"] == 0.0, "kind"]) == {"absent"}
    assert set(table["language"]) == {"en"}
    assert set(table["split"]) == {"dev", "test"}


def test_a_misspelt_word_is_no_other_word() -> None:
    known = {"pears", "peas", "pear", "milk"}
    for seed in range(50):
        wrong = misspelt("pears", known, random.Random(seed))
        assert wrong is not None
        assert one_edit(wrong, "pears")
        assert not one_edit(wrong, "peas")
        assert wrong not in known


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("milk", "milk", True),
        ("milk", "mikl", True),
        ("milk", "mlk", True),
        ("milk", "miilk", True),
        ("milk", "milj", True),
        ("milk", "klim", False),
        ("milk", "mi", False),
        ("soap", "soup", True),
    ],
)
def test_one_edit(a: str, b: str, expected: bool) -> None:
    assert one_edit(a, b) is expected
    assert one_edit(b, a) is expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tomatoes", "tomato"),
        ("peaches", "peach"),
        ("strawberries", "strawberry"),
        ("chocolate chip cookies", "chocolate chip cookie"),
        ("olives", "olive"),
        ("pizza", "pizzas"),
        ("toothbrush", "toothbrushes"),
        ("candy", "candies"),
        ("milk", None),
        ("grits", None),
    ],
)
def test_the_other_number(query: str, expected: str | None) -> None:
    assert other_number(query) == expected


def test_sizes_are_compared_by_amount() -> None:
    def size(text: str) -> PackSize:
        found = PackSize.of(f"Milk, Store Brand, {text}")
        assert found is not None
        return found

    assert size("1 gal").same_as(size("128 oz"))
    assert size("1 lb").same_as(size("16 oz"))
    assert not size("4 oz").same_as(size("6 x 4 oz"))
    assert size("4 oz").part_or_whole_of(size("6 x 4 oz"))
    assert size("24 oz").part_or_whole_of(size("6 x 4 oz"))
    assert size("12 oz").part_or_whole_of(size("12 oz, 12 pack"))
    assert not size("8 oz").part_or_whole_of(size("6 x 4 oz"))
    assert PackSize.of("Milk, Store Brand") is None
    assert size("1 gal").typed(random.Random(0)) == "1 gallon"
