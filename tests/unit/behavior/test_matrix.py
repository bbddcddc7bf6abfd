"""The ranker's columns of a request."""

import numpy as np

from features.behavior.matrix import COLUMN, Shopper, behavior_features
from features.behavior.state import BehaviorState
from features.catalog.counters import ItemCounters
from features.catalog.item import Item
from features.catalog.table import ItemTable


def test_without_a_query_the_last_one_of_the_session_is_remembered() -> None:
    shop = ItemTable([Item(title, title) for title in ("Red mug", "Blue mugs", "Red towel")])
    counters, rows = ItemCounters(3), np.array([0, 1, 2])
    session = BehaviorState(counts={"search": 2}, queries={"sofa": 1.0, "red mugs": 2.0})
    for query, expected in ((None, [1, 0.5, 0.5]), ("blue vase", [0, 0.5, 0]), ("!", [np.nan] * 3)):
        found = behavior_features(Shopper(session=session), shop, counters, rows, 9.0, query=query)
        np.testing.assert_array_equal(found[:, COLUMN["query_words"]], expected)
    nobody = behavior_features(Shopper(), shop, counters, rows, 9.0)
    assert np.isnan(nobody[:, COLUMN["query_words"]]).all()
