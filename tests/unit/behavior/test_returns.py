"""A return takes its purchase back: afterwards little is as if it had not been bought."""

from collections.abc import Sequence

import numpy as np
import pytest

from features.behavior.aggregator import Aggregator
from features.behavior.history import affinities
from features.behavior.matrix import COLUMN, Shopper, behavior_features
from features.catalog.counters import DAY_S, HALF_LIFE, Counter
from features.catalog.item import Item
from features.catalog.table import ItemTable
from features.events.event import BehaviorEvent, EventType

NOW_S = 1_700_000_000.0
ITEMS = ItemTable(
    [
        Item("lamp", "Lamp", category="Home > Light", brand="Norvane", price=30.0),
        Item("tea", "Tea", category="Food > Drinks", brand="Leaf", price=4.0),
        Item("coffee", "Coffee", category="Food > Drinks", brand="Bean", price=9.0),
    ]
)
ROWS = np.arange(len(ITEMS))


def event(kind: EventType, item_id: str, days_ago: float, value: float | None = None) -> tuple:  # type: ignore[type-arg]
    return kind, NOW_S - days_ago * DAY_S, item_id, value


def folded(told: Sequence[tuple]) -> Aggregator:  # type: ignore[type-arg]
    fold = Aggregator(ITEMS.row_of, ITEMS.facts)
    for seq, (kind, at_s, item_id, value) in enumerate(told, 1):
        fold.apply(BehaviorEvent(f"e{seq}", kind, at_s, "u", "s", item_id, value=value), seq)
    return fold


def sold(fold: Aggregator) -> float:
    """What the counter of a season says of the lamp."""
    counts = fold.items.at(ROWS, NOW_S)
    return float(counts[ITEMS.row_of["lamp"], Counter.PURCHASE, HALF_LIFE["120d"]])


BEFORE = [
    event(EventType.PURCHASE, "tea", 40, 4.0),
    event(EventType.CLICK, "coffee", 20),
]
BOUGHT = event(EventType.PURCHASE, "lamp", 10, 30.0)
RETURNED = event(EventType.RETURN, "lamp", 2, 30.0)


@pytest.mark.parametrize("value", [None, 30.0, 45.0, -1.0])
def test_after_a_return_the_shopper_has_not_bought(value: float | None) -> None:
    back = folded([*BEFORE, BOUGHT, event(EventType.RETURN, "lamp", 2, value)])
    never = folded(BEFORE)
    # To a session, a price of ten days ago is nothing beside the one of the return.
    for state, other, columns in (
        (back.users["u"], never.users["u"], slice(None)),
        (back.sessions["s"], never.sessions["s"], slice(-1)),
    ):
        assert (state.bought, state.recent) == (other.bought, other.recent)
        assert state.counts == {**other.counts, "return": 1}
        assert state.categories.keys() == other.categories.keys()
        np.testing.assert_allclose(
            affinities([state], ITEMS, ROWS)[:, 0, columns],
            affinities([other], ITEMS, ROWS)[:, 0, columns],
            rtol=1e-5, atol=1e-6,
        )  # fmt: skip
    assert sold(back) == pytest.approx(0.0, abs=1e-6)
    counts = back.items.at(ROWS, NOW_S)[ITEMS.row_of["lamp"]]
    assert counts[Counter.RETURN, HALF_LIFE["120d"]] > 0.9


def test_the_ranker_sees_a_returned_item_as_one_that_was_not_bought() -> None:
    columns = [
        behavior_features(Shopper(fold.users["u"]), ITEMS, fold.items, ROWS, NOW_S)
        for fold in (folded([*BEFORE, BOUGHT, RETURNED]), folded([*BEFORE, BOUGHT]), folded(BEFORE))
    ]
    lamp = ITEMS.row_of["lamp"]
    for name in ("user_times_bought", "user_share_of_bought", "user_category_1", "user_brand"):
        back, kept, never = (values[lamp, COLUMN[name]] for values in columns)
        assert np.nan_to_num(back) == pytest.approx(np.nan_to_num(never), abs=1e-6), name
        assert np.nan_to_num(kept) > np.nan_to_num(back), name


def test_a_part_that_comes_back_takes_a_part_of_the_purchase_back() -> None:
    third = event(EventType.RETURN, "lamp", 5, 10.0)
    once, thrice = folded([BOUGHT, third]), folded([BOUGHT, third, third, third])
    kept = once.users["u"]
    times, first_s, last_s, spent = kept.bought["lamp"]
    assert (times, spent) == pytest.approx((2 / 3, 20.0))
    assert first_s == last_s == BOUGHT[1]
    assert kept.counts == {"purchase": 1, "return": 1}
    assert kept.price_weight == pytest.approx(5 * 2 / 3)
    assert sold(once) == pytest.approx(2 / 3 * sold(folded([BOUGHT])), rel=1e-5)
    assert thrice.users["u"].bought == {}
    assert thrice.users["u"].categories == {}
    assert sold(thrice) == pytest.approx(0.0, abs=1e-6)


def test_a_return_undoes_the_newest_of_several_purchases() -> None:
    purchases = [event(EventType.PURCHASE, "lamp", days, 30.0) for days in (30, 20, 10)]
    fold = folded([*purchases, event(EventType.RETURN, "lamp", 1)])
    assert fold.users["u"].bought == {
        "lamp": pytest.approx((2.0, NOW_S - 30 * DAY_S, NOW_S - 20 * DAY_S, 60.0))
    }
    assert sold(fold) == pytest.approx(sold(folded(purchases[:2])), rel=1e-5)


def test_what_was_bought_again_after_a_return_is_bought() -> None:
    fold = folded([BOUGHT, RETURNED, event(EventType.PURCHASE, "lamp", 1, 30.0)])
    assert fold.users["u"].bought["lamp"][0] == 1
    assert "lamp" in fold.users["u"].recent


def test_a_return_of_what_nobody_saw_bought_only_counts_as_a_return() -> None:
    fold = folded([*BEFORE, RETURNED])
    assert fold.users["u"].categories == folded(BEFORE).users["u"].categories
    assert sold(fold) == 0.0
    assert fold.users["u"].counts["return"] == 1


def test_bought_items_stay_in_order_of_their_last_purchase() -> None:
    fold = folded(
        [
            event(EventType.PURCHASE, "lamp", 30),
            event(EventType.PURCHASE, "tea", 20),
            event(EventType.PURCHASE, "lamp", 10),
            event(EventType.RETURN, "lamp", 1),
        ]
    )
    assert list(fold.users["u"].bought) == ["lamp", "tea"]
