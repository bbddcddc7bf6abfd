"""Because you bought X: what clearly goes together with it, and not what does so by chance."""

import numpy as np
import pytest

from features.behavior.matrix import Shopper
from serving.models.tokenizer import Tokenizer
from serving.search.retrieval import Retrieval
from tests.support.fakes import FakeVectors, groceries

# How much milk speaks for each item, as the item-to-item table has it.
SPEAKS = {"oat": 0.08, "butter": 0.05, "bread": 0.03, "glass": 0.01, "dress": 0.01}


@pytest.fixture
def retrieval(encoder: Tokenizer) -> Retrieval:
    items = groceries(encoder)
    table = items.table
    neighbors = np.full((len(table), 1), -1, np.int32)
    weights = np.zeros((len(table), 1), np.float32)
    for item_id, weight in SPEAKS.items():
        row = table.row_of[item_id]
        neighbors[row, 0], weights[row, 0] = table.row_of["milk"], weight
    table.set_neighbors(neighbors, weights, np.full_like(neighbors, -1), weights * 0)
    retrieval = Retrieval(items, FakeVectors(encoder))
    retrieval.update_words(np.arange(len(table)))  # no vectors: nothing reads alike
    return retrieval


def test_what_is_spoken_for_by_less_than_half_of_the_strongest_is_left_out(
    retrieval: Retrieval,
) -> None:
    rows = retrieval.alike(("milk",), None, 50).rows
    assert [retrieval._items.table.item_ids[row] for row in rows.tolist()] == ["oat", "butter"]


def test_items_like_one_go_on_to_the_weakest(retrieval: Retrieval) -> None:
    rows = retrieval.recommend(Shopper(), ("milk",), None, 50).rows
    assert len(rows) == len(SPEAKS)
