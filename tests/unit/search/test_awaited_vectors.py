"""Items whose vectors are to come: they gain nothing by it, and nor do those that have one."""

import numpy as np
import pytest

from features.catalog.item import Item
from serving.models.tokenizer import Tokenizer
from serving.search.relevance import COLUMN, Least
from serving.search.retrieval import Retrieval
from tests.support.fakes import FakeVectors, groceries, token_vectors

QUERY = "whole milk"


@pytest.fixture
def retrieval(encoder: Tokenizer) -> Retrieval:
    """The groceries, found by words; their vectors are awaited."""
    items = groceries(encoder)
    made = Retrieval(items, FakeVectors(encoder))
    made.update_words(np.arange(len(items.table)))
    return made


def test_while_most_vectors_are_awaited_words_alone_judge(
    retrieval: Retrieval, encoder: Tokenizer
) -> None:
    vector = token_vectors(encoder.tokens([QUERY], 16))[0]
    n_items = retrieval.n_awaited
    retrieval.update_vectors(np.array([0]))
    assert retrieval.n_awaited == n_items - 1 > 0
    early = retrieval.search(QUERY, vector, None, 50, Least())
    assert early.matches is not None
    assert not early.matches.columns[:, COLUMN["cosine"]].any()
    by_words = retrieval.search(QUERY, None, None, 50, Least())
    assert early.rows.tolist() == by_words.rows.tolist()
    assert early.score.tolist() == by_words.score.tolist()


def test_an_item_without_its_vector_does_not_pass_its_twin_that_has_one(encoder: Tokenizer) -> None:
    items = groceries(encoder)
    copies = [Item(f"copy-{number}", "whole milk", category="Dairy > Milk") for number in range(40)]
    rows = items.upsert(copies)
    made = Retrieval(items, FakeVectors(encoder))
    made.update(np.arange(len(items.table)))
    late = items.upsert([Item("late", "whole milk", category="Dairy > Milk")])
    made.update_words(late)
    vector = token_vectors(encoder.tokens([QUERY], 16))[0]
    relevance = made.matches(QUERY, vector, np.concatenate([rows[:1], late])).values
    assert 0 < relevance[1] <= relevance[0]
