"""Tastes told by words: what a shopper takes more of than everybody does."""

import numpy as np
import pytest

from features.behavior.history import (
    NO_HISTORY,
    WORD_DOUBT,
    ItemHistory,
    bought_items,
    recency_rank,
    word_taste,
)
from features.behavior.state import BehaviorState
from features.behavior.state_rows import StateRow
from features.catalog.counters import DAY_S
from features.catalog.item import Item
from features.catalog.table import ItemTable

TITLES = ("Red mug", "Blue mugs", "Red towel", "Green sofa")
NO_NEIGHBORS = (np.full((4, 1), -1, np.int32), np.zeros((4, 1), np.float32))


@pytest.fixture
def shop() -> ItemTable:
    items = ItemTable([Item(title, title) for title in TITLES])
    counts = np.array([4, 4, 1, 1], np.float32)
    items.set_neighbors(*NO_NEIGHBORS, interaction_counts=counts)
    return items


def test_a_word_counts_by_what_the_shopper_took_over_what_everybody_takes(shop: ItemTable) -> None:
    total, mean = word_taste(shop, np.array([0, 2]), np.array([3.0, 2.0]), np.arange(4))

    def drawn(took: float, share: float) -> float:
        return float(np.log((took + WORD_DOUBT) / (5 * share + WORD_DOUBT)))

    red, mug, blue = drawn(5, 0.5), drawn(3, 0.8), drawn(0, 0.4)
    np.testing.assert_allclose(total[:2], [red + mug, blue + mug], rtol=1e-6)
    np.testing.assert_allclose(mean, total / 2)
    assert total[2] > total[0] > total[3] > total[1]  # who likes red, likes a red towel


def test_a_new_item_is_liked_for_its_words_before_anybody_took_it(shop: ItemTable) -> None:
    shop.upsert([Item("new", "Red vase"), Item("other", "Brown vase"), Item("bare", "")])
    total, mean = word_taste(shop, np.array([0]), np.array([3.0]), np.array([4, 5, 6]))
    assert total[0] > total[1]
    assert np.isnan(total[2])
    assert np.isnan(mean[2])


def test_who_has_taken_nothing_has_no_taste(shop: ItemTable) -> None:
    for state in (None, BehaviorState(), BehaviorState(recent={"gone": (1.0, 1.0)})):
        interactions = ItemHistory.of(state, shop).interactions(shop)
        assert np.isnan(word_taste(shop, *interactions, np.array([0, 1]))).all()


def test_purchases_weigh_by_their_number_and_looks_by_their_strength(shop: ItemTable) -> None:
    seen = {"Red mug": (1.0, 1.0), "gone": (3.0, 5.0), "Red towel": (2.0, 5.0)}
    history = ItemHistory.of(
        BehaviorState(recent=seen, bought={"Red towel": (3.0, 1.0, 2.0, 0.0)}), shop
    )
    assert history.recent.tolist() == [-1, 2, 0]  # newest first
    np.testing.assert_allclose(history.recent_weights, [5.0, 5.0 * 0.9, 0.9**2])
    rows, weights = history.interactions(shop)
    assert dict(zip(rows.tolist(), weights.tolist(), strict=True)) == {0: np.log(2), 2: np.log(4)}


def test_bought_items_are_the_newest_that_the_catalogue_knows_with_their_ages(
    shop: ItemTable,
) -> None:
    now_s = 100 * DAY_S
    bought = {
        "Red mug": (2.0, now_s - 9 * DAY_S, now_s - 3 * DAY_S, 8.0),
        "Blue mugs": (1.0, now_s - 2 * DAY_S, now_s - 2 * DAY_S, 4.0),
        "gone": (1.0, now_s, now_s, 4.0),
        "Green sofa": (1.0, now_s + 5, now_s + 5, 0.0),  # by a clock that is ahead
    }
    rows, values = bought_items(ItemHistory.of(BehaviorState(bought=bought), shop), now_s, 2)
    assert rows.tolist() == [3, 1]
    np.testing.assert_allclose(values, [[1, 0, 0], [1, 2, 2]])
    for history in (NO_HISTORY, ItemHistory.of(BehaviorState(), shop)):
        rows, values = bought_items(history, now_s, 2)
        assert (len(rows), values.shape) == (0, (0, 3))


def test_what_one_request_looked_up_is_not_there_for_the_next(shop: ItemTable) -> None:
    first = ItemHistory.of(BehaviorState(recent={"Red mug": (1.0, 1.0), "gone": (2.0, 1.0)}), shop)
    second = ItemHistory.of(BehaviorState(recent={"Green sofa": (1.0, 1.0)}), shop)
    rows = np.arange(4)
    assert recency_rank(first, shop, rows).tolist() == [0.5, 0, 0, 0]
    assert recency_rank(second, shop, rows).tolist() == [0, 0, 0, 1]
    assert recency_rank(second, shop, np.array([-1])).tolist() == [0]


def test_a_row_is_looked_up_once_and_again_when_there_are_new_items(shop: ItemTable) -> None:
    row = StateRow.of(BehaviorState(recent={"Red mug": (1.0, 1.0), "new": (2.0, 1.0)}))
    first = ItemHistory.of(row, shop)
    assert first.recent.tolist() == [-1, 0]
    assert ItemHistory.of(row, shop) is first
    shop.upsert([Item("new", "Vase")])
    assert ItemHistory.of(row, shop).recent.tolist() == [4, 0]


def test_an_item_that_came_later_can_be_looked_up(shop: ItemTable) -> None:
    known = ItemHistory.of(BehaviorState(recent={"Red mug": (1.0, 1.0)}), shop)
    recency_rank(known, shop, np.arange(4))
    shop.upsert([Item(f"new {number}", "Vase") for number in range(20)])
    newest = ItemHistory.of(BehaviorState(recent={"new 19": (1.0, 1.0)}), shop)
    assert np.flatnonzero(recency_rank(newest, shop, np.arange(24))).tolist() == [23]
