"""A query that says what it does not want finds that last, and nothing else otherwise."""

import numpy as np
import pytest

from features.catalog.item import Item
from serving.models.tokenizer import Tokenizer
from serving.search.retrieval import Retrieval
from serving.search.words.analysis import Analyzer
from serving.shops.items import ItemCache
from tests.support.fakes import MAX_ITEM_TOKENS, FakeVectors

TREATS = [
    Item("chicken", "Chicken cat treats"),
    Item("brand", "Cat treats", brand="Happy Chicken"),
    Item("told", "Cat treats, soft", description="With real chicken."),
    Item("salmon", "Salmon cat treats"),
    Item("without", "Cat treats, no chicken"),
    Item("free", "Chicken-free cat treats"),
]


def shop(encoder: Tokenizer, items: list[Item], language: str = "en") -> Retrieval:
    cache = ItemCache(encoder, MAX_ITEM_TOKENS)
    cache.upsert(items)
    retrieval = Retrieval(cache, FakeVectors(encoder), Analyzer(language))
    retrieval.update_words(np.arange(len(items)))
    return retrieval


def found(retrieval: Retrieval, items: list[Item], query: str) -> list[str]:
    rows = retrieval.search(query, None, None, 50).rows
    return [items[row].item_id for row in rows.tolist()]


def test_what_has_it_comes_last_what_is_called_so_behind_what_only_tells_of_it(
    encoder: Tokenizer,
) -> None:
    retrieval = shop(encoder, TREATS)
    ids = found(retrieval, TREATS, "cat treats without chicken")
    assert set(ids[:3]) == {"salmon", "without", "free"}
    assert ids[3] == "told"
    assert set(ids[4:]) == {"chicken", "brand"}


def test_the_same_is_found_as_without_saying_so(encoder: Tokenizer) -> None:
    """Titles name what a product works with, too: nothing is taken away."""
    retrieval = shop(encoder, TREATS)
    asked = "cat treats without chicken"
    assert set(found(retrieval, TREATS, asked)) == set(found(retrieval, TREATS, "cat treats"))


def test_the_more_it_says_so_the_more_relevance_it_loses(encoder: Tokenizer) -> None:
    """From a title that says it is without, by one that says nothing, to one that has it."""
    retrieval = shop(encoder, TREATS)
    matches = retrieval.matches("cat treats without chicken", None, np.arange(-1, len(TREATS)))
    assert matches.wanting_all is not None
    assert matches.values[0] == matches.wanting_all[0] == 0  # outside the catalogue
    before, after = matches.wanting_all[1:], matches.values[1:]
    lost = np.log(before / (1 - before)) - np.log(after / (1 - after))
    by_id = {item.item_id: round(float(each), 3) for item, each in zip(TREATS, lost, strict=True)}
    assert by_id["without"] == by_id["free"] == 0
    assert 0 < by_id["salmon"] < by_id["told"] < by_id["chicken"] == by_id["brand"]


def test_what_no_item_has_is_not_unwanted(encoder: Tokenizer) -> None:
    """ "Not included batteries" names what is asked for: no item says it, and none is demoted."""
    matches = shop(encoder, TREATS).matches("treats not soft chicken", None, np.arange(len(TREATS)))
    assert matches.wanting_all is None


def test_a_query_that_wants_all_is_judged_as_before(encoder: Tokenizer) -> None:
    matches = shop(encoder, TREATS).matches("chicken cat treats", None, np.arange(len(TREATS)))
    assert matches.wanting_all is None


def test_what_is_asked_for_by_its_code_comes_first_whatever_it_is_called(
    encoder: Tokenizer,
) -> None:
    items = [*TREATS, Item("no-chicken", "Chicken cat treats, crunchy")]
    assert found(shop(encoder, items), items, "no-chicken")[0] == "no-chicken"


@pytest.mark.parametrize(
    ("query", "language", "titles"),
    [
        ("sugar free cola", "en", ["Cola sugar free 330 ml can", "Cola", "Cola with sugar"]),
        ("gluten-free bread", "en", ["Bread gluten free", "Bread", "Bread with gluten"]),
        ("bier ohne alkohol", "de", ["Alkoholfreies Bier", "Bier", "Bier mit Alkohol"]),
        ("无硅油洗发水", "zh", ["洗发水 无硅油", "洗发水", "洗发水 含硅油"]),
    ],
)
def test_what_says_that_it_is_without_comes_before_what_says_nothing(
    encoder: Tokenizer, query: str, language: str, titles: list[str]
) -> None:
    items = [Item(title, title) for title in reversed(titles)]
    assert found(shop(encoder, items, language), items, query) == titles


def test_that_many_items_are_without_hides_none_that_has_it(encoder: Tokenizer) -> None:
    gums = [Item(f"gum-{n}", "Sugar free sugar free gum") for n in range(22)]
    items = [*gums, Item("cane", "Cola with cane sugar"), Item("stevia", "Cola with stevia")]
    assert found(shop(encoder, items), items, "cola without sugar")[0] == "stevia"
