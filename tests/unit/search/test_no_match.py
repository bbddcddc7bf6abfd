"""A search for what a shop has nothing of finds nothing: the nearest of all is no answer for that.

Vectors are made so that items have the cosines with a query that the English encoder gives such.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from features.arrays import FloatArray
from features.catalog.item import Item
from serving.models.contract import VECTOR_SIZE
from serving.models.tokenizer import Tokenizer
from serving.search.relevance import usual_models
from serving.search.retrieval import Retrieval
from serving.shops.items import ItemCache
from tests.support.fakes import MAX_ITEM_TOKENS

QUERY = np.eye(VECTOR_SIZE, dtype=np.float32)[0]
GROCERIES = ("White milk", "Hot dog buns", "Broth", "Shredded cheese", "Lemons", "Rye bread")
STRANGE = 0.38  # "shampoo" and white milk


class Cosines:
    """A `VectorSource` whose texts have given cosines with QUERY, and none with each other."""

    def __init__(self, cosines: Mapping[str, float]) -> None:
        self._cosines = cosines

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        found = np.zeros((len(texts), VECTOR_SIZE), np.float32)
        for place, text in enumerate(texts):
            title = next(title for title in self._cosines if title in text)
            cosine = self._cosines[title]
            own = 1 + list(self._cosines).index(title)
            found[place, 0], found[place, own] = cosine, np.sqrt(1 - cosine**2)
        return found


def searched(encoder: Tokenizer, query: str, **others: float) -> tuple[list[str], float]:
    """Titles found in a shop of groceries and of `others` (by cosine), and the best one's R of what
    was not."""
    cosines = {**dict.fromkeys(GROCERIES, STRANGE), **others}
    items = ItemCache(encoder, MAX_ITEM_TOKENS)
    items.upsert([Item(f"item-{n}", title) for n, title in enumerate(cosines)])
    retrieval = Retrieval(items, Cosines(cosines))
    retrieval.update(np.arange(len(cosines)))
    found = retrieval.search(query, QUERY, None, 50)
    titles = [items.table.items[row].title for row in found.rows.tolist()]
    return titles, max((relevance for _, relevance in found.below), default=0.0)


def test_what_no_item_is_near_finds_nothing_though_something_is_nearest(
    encoder: Tokenizer,
) -> None:
    titles, best = searched(encoder, "shampoo")
    assert titles == []
    assert best >= usual_models().least.relevance  # by that alone they would all be found


@pytest.mark.parametrize("cosine", [0.45, 0.55, 0.7])
def test_another_word_for_it_is_found_by_its_meaning(encoder: Tokenizer, cosine: float) -> None:
    titles, _ = searched(encoder, "sneakers", **{"Running shoes": cosine})
    assert titles == ["Running shoes"]


def test_what_has_the_word_is_found_however_far_its_meaning_is(encoder: Tokenizer) -> None:
    titles, _ = searched(encoder, "shampoo", **{"Shampoo bar": 0.1})
    assert titles == ["Shampoo bar"]


def test_an_items_code_is_no_word_and_needs_no_meaning(encoder: Tokenizer) -> None:
    assert searched(encoder, "item-3")[0] == ["Shredded cheese"]
