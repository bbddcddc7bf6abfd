"""The ranker's columns of a request."""

import numpy as np

from features.behavior.matrix import COLUMN, Shopper, behavior_features
from features.behavior.state import BehaviorState
from features.behavior.state_rows import StateRow, pack
from features.catalog.counters import ItemCounters
from features.catalog.item import Item
from features.catalog.table import ItemTable

NAMES = ("Red mug", "Blue mugs", "Red towel")


def test_without_a_query_the_last_one_of_the_session_is_remembered() -> None:
    shop = ItemTable([Item(title, title) for title in NAMES])
    counters, rows = ItemCounters(3), np.array([0, 1, 2])
    session = BehaviorState(counts={"search": 2}, queries={"sofa": 1.0, "red mugs": 2.0})
    for query, expected in ((None, [1, 0.5, 0.5]), ("blue vase", [0, 0.5, 0]), ("!", [np.nan] * 3)):
        found = behavior_features(Shopper(session=session), shop, counters, rows, 9.0, query=query)
        np.testing.assert_array_equal(found[:, COLUMN["query_words"]], expected)
    nobody = behavior_features(Shopper(), shop, counters, rows, 9.0)
    assert np.isnan(nobody[:, COLUMN["query_words"]]).all()


def test_a_stored_row_gives_the_columns_of_its_state() -> None:
    """Live, the state comes packed; in a replay, it is the fold's own."""
    shop = ItemTable(
        [Item(title, title, category="A > B", brand="C", price=2.0) for title in NAMES]
    )
    counters, rows = ItemCounters(3), np.array([2, -1, 0, 1])
    state = BehaviorState(
        counts={"purchase": 3}, recent={"Red mug": (5.0, 5.0), "gone": (6.0, 1.0)},
        bought={"Red mug": (2.0, 1.0, 5.0, 0.0)}, categories={"A": 2.0, "A > B": 2.0, "D": 1.0},
        brands={"C": 2.0, "E": 6.0}, price_weight=2.0, price_sum=1.4, price_square_sum=1.0,
        queries={"red": 3.0}, first_s=1.0, last_s=5.0,
    )  # fmt: skip
    live, replayed = (
        behavior_features(Shopper(known, known), shop, counters, rows, 9.0)
        for known in (StateRow.unpack(pack(state)), state)
    )
    np.testing.assert_array_equal(live, replayed)
    np.testing.assert_allclose(live[[0, 2, 3], COLUMN["user_brand"]], 0.25)
    np.testing.assert_allclose(live[[0, 2, 3], COLUMN["user_category_1"]], 2 / 3)
    assert np.isnan(live[1, : COLUMN["retrieval_score"]]).all()  # the catalogue does not know it
