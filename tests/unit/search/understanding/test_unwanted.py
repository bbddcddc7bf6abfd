"""What a query says that it does not want, in its words, and what only sounds like it."""

import pytest

from serving.search.understanding.unwanted import read_unwanted
from serving.search.words.analysis import Analyzer

ENGLISH, CHINESE, GERMAN = (Analyzer(language) for language in ("en", "zh", "de"))


@pytest.mark.parametrize(
    ("query", "things"),
    [
        ("cat treats without chicken", ("chicken",)),
        ("dog food not cat", ("cat",)),
        ("sugar free cola", ("sugar",)),
        ("sugar-free cola", ("sugar",)),
        ("bread free of gluten", ("gluten",)),
        ("yoghurt without sugar or lactose", ("sugar", "lactose")),
        ("shampoo, no perfume, no parabens", ("perfume", "parabens")),
        ("weighted blanket without glass beads", ("glass beads",)),
    ],
)
def test_what_is_not_wanted_is_read(query: str, things: tuple[str, ...]) -> None:
    assert read_unwanted(query, ENGLISH.terms).unwanted == things


@pytest.mark.parametrize(
    ("query", "things"),
    [
        ("无糖可乐", ("糖",)),
        ("洗发水不含硅油", ("硅油",)),
        ("饼干 不含坚果", ("坚果",)),
        ("不加糖的酸奶", ("糖",)),
        ("不锈钢锅", ()),
        ("不粘锅", ()),
        ("无线耳机", ()),
    ],
)
def test_chinese_is_read(query: str, things: tuple[str, ...]) -> None:
    assert read_unwanted(query, CHINESE.terms).unwanted == things


@pytest.mark.parametrize(
    ("query", "things"),
    [
        ("wasser ohne kohlensäure", ("kohlensäure",)),
        ("BH ohne Bügel", ("Bügel",)),
        ("alkoholfreies bier", ("alkohol",)),
        ("freilandeier", ()),
    ],
)
def test_german_is_read(query: str, things: tuple[str, ...]) -> None:
    assert read_unwanted(query, GERMAN.terms).unwanted == things


@pytest.mark.parametrize(
    "query",
    [
        "cat treats",
        "free range eggs",
        "hands free phone",
        "buy one get one free",
        "nothing bundt cake",
        "notebook",
        "noodles",
        "chanel no 5",
        "model no 123",
        "no. 10 envelopes",
        "why not",
        "benadryl allergy relief",
        "nike free run shoes",
        "chicken free range",
        "dress free people",
        "samsung galaxy free case",
        "no",
        "",
    ],
)
def test_what_only_sounds_like_it_wants_everything(query: str) -> None:
    assert read_unwanted(query, ENGLISH.terms) == ((), query)


@pytest.mark.parametrize(
    "query", ["dewalt tool cases without tools", "silverware box without silverware"]
)
def test_what_the_rest_of_a_query_asks_for_is_wanted(query: str) -> None:
    assert read_unwanted(query, ENGLISH.terms).unwanted == ()


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        ("cat treats without chicken", "cat treats"),
        ("lights without wiring with switch", "lights with switch"),
        ("sugar free cola", "cola"),
        ("without chicken", ""),
    ],
)
def test_what_is_wanted_is_what_is_left(query: str, rest: str) -> None:
    assert read_unwanted(query, ENGLISH.terms).rest == rest


def test_a_query_of_nothing_but_negations_is_read_at_once() -> None:
    """Eight thousand characters took seven seconds: only so many are read."""
    assert len(read_unwanted("no nuts no eggs " * 500, ENGLISH.terms).unwanted) <= 4
    assert read_unwanted("no " * 3_000, ENGLISH.terms).unwanted == ()
