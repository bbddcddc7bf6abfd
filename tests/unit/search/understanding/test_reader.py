"""What a sentence is read as, and what is told of the rest."""

import time

import pytest

from features.catalog.item import Item
from serving.search.understanding.numbers import number
from serving.search.understanding.wishes import RELAXED_IN_TURN, Wanted, Why
from tests.support.texts.judged_sentences import reader, reader_of


@pytest.mark.parametrize("text", ["no nuts", "without any nuts", "nut-free"])
def test_an_item_that_says_it_is_without_a_thing_is_not_left_out_for_naming_it(text: str) -> None:
    items = [
        Item("with", "Bar with nuts"),
        Item("free", "Nut-free bar"),
        Item("without", "Bar", description="Contains no nuts."),
        Item("silent", "Bar of oats"),
    ]
    (wish,) = reader_of(items).read(text).wishes
    assert wish.item_ids == ("with",)


def test_a_thing_that_is_with_and_without_is_left_out() -> None:
    items = [Item("both", "Bar with nuts", description="No nuts in the glaze."), Item("b", "Bar")]
    (wish,) = reader_of(items).read("no nuts").wishes
    assert wish.item_ids == ("both",)


def test_a_brand_is_known_only_while_something_of_it_is_sold() -> None:
    sold = reader_of([Item("1", "Shoe", brand="Zephyr"), Item("2", "Hat")])
    assert [wish.wanted for wish in sold.read("only Zephyr").wishes] == [Wanted.BRAND]
    sold._table.remove("1")
    assert sold.read("only Zephyr").wishes == ()


def test_a_new_brand_is_known_from_its_first_item_on() -> None:
    shop = reader_of([Item("1", "Shoe", brand="Zephyr")])
    assert shop.read("only Boreas").wishes == ()
    rows = shop._table.upsert([Item("2", "Boot", brand="Boreas")])
    shop._items.update(rows, shop._table)
    assert [wish.values for wish in shop.read("only Boreas").wishes] == [("Boreas",)]


def test_what_is_not_understood_is_told_and_changes_nothing() -> None:
    read = reader("en").read("for a ten-year-old who adores volcanoes, under 30 euros")
    assert [left.words for left in read.not_used] == ["who adores volcanoes"]
    assert {left.why for left in read.not_used} == {Why.NOT_UNDERSTOOD}


def test_a_thing_that_no_item_speaks_of_is_told_as_not_in_the_catalogue() -> None:
    read = reader("en").read("no plastic")
    assert [(left.words, left.why) for left in read.not_used] == [
        ("no plastic", Why.NOT_IN_CATALOGUE)
    ]


def test_a_price_in_a_currency_without_a_rate_is_told_and_bounds_nothing() -> None:
    read = reader("en", "JPY").read("under 30 euros")
    assert (read.wishes, read.not_used[0].why) == ((), Why.UNKNOWN_CURRENCY)


def test_prices_that_leave_no_room_bound_nothing() -> None:
    read = reader("en").read("over 60 euros and below 20 euros")
    assert read.filters is None
    assert {left.why for left in read.not_used} == {Why.CONTRADICTION}


def test_a_language_that_is_not_read_requires_nothing() -> None:
    read = reader("en").read("moins de 30 euros, sans sucre, pas de noix")
    assert read.wishes == ()
    assert " ".join(left.words for left in read.not_used).startswith("moins de 30 euros")


def test_full_widths_and_capitals_do_not_count_and_are_quoted_as_written() -> None:
    (wish,) = reader("en").read("UNDER ３０ Euros").wishes
    assert (wish.words, wish.max_price) == ("UNDER ３０ Euros", 29.99)


def test_less_is_required_in_turn_and_what_is_unwanted_always() -> None:
    read = reader("en").read("only shampoo, L'Oréal brand, under 3 euros, no parabens")
    steps = [
        {wish.wanted for wish in step.wishes if wish.required and not wish.relaxed}
        for step in (read, *read.relaxations())
    ]
    assert RELAXED_IN_TURN == (Wanted.CATEGORY, Wanted.BRAND, Wanted.PRICE)
    assert steps == [
        {Wanted.CATEGORY, Wanted.BRAND, Wanted.PRICE, Wanted.WITHOUT},
        {Wanted.BRAND, Wanted.PRICE, Wanted.WITHOUT},
        {Wanted.PRICE, Wanted.WITHOUT},
        {Wanted.WITHOUT},
    ]


@pytest.mark.parametrize(
    "text", ["", "   ", ",,,", "30", "元", "no", "ohne", "不要", "under", "()"]
)
def test_a_sentence_that_says_nothing_requires_nothing(text: str) -> None:
    assert reader("zh").read(text).wishes == ()


def test_the_catalogues_names_are_not_collected_before_somebody_asks() -> None:
    shop = reader_of([Item("1", "Shoe", brand="Zephyr")])
    assert shop._names is None


@pytest.mark.parametrize(
    "text",
    [
        "a" * 512, "1," * 256, "no " * 170, "for my " * 73, "不要" * 256, "9" * 512, "und " * 128,
        "under " * 85, "10-" * 170, "\x00\x1b[31m", "🙂" * 100, "İ" * 200, "ß" * 300, "no a-" * 100,
        "under " + "9" * 400 + " euros", "not " * 60 + "Nike", "以下元" * 170, "x free " * 73,
    ],
    ids=lambda text: ascii(text[:8]),
)  # fmt: skip
def test_an_odd_sentence_is_read_in_time_and_quoted_as_written(text: str) -> None:
    started_s = time.process_time()
    read = reader("en").read(text)
    assert time.process_time() - started_s < 0.5
    quotes = [wish.words for wish in read.wishes] + [left.words for left in read.not_used]
    assert all(quote in text for quote in quotes)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1,000", 1000), ("1.000", 1000), ("1,50", 1.5), ("9.5", 9.5), ("1.000,50", 1000.5),
        ("1,000.50", 1000.5), ("1,000,000", 1e6), ("0.125", 0.125), ("twenty-five", 25),
        ("fünfundzwanzig", 25), ("hundert", 100), ("三百五十", 350), ("两千", 2000), ("十五", 15),
        ("一百零五", 105), ("1.2.3", None), ("百千", None), ("9" * 30, None),
    ],
)  # fmt: skip
def test_a_number_is_read_as_it_is_written(written: str, value: float | None) -> None:
    assert number(written) == value


def test_a_size_is_read_only_where_it_is_called_one() -> None:
    shop = reader_of([Item("1", "Shirt", attributes={"size": "Large"}), Item("2", "Hat")])
    assert shop.read("for a large family").wishes == ()
    assert [wish.values for wish in shop.read("size large").wishes] == [("large",)]
