"""What one shopper is not shown becomes a part of the filters, and nothing else changes."""

import math

import pytest

from features.behavior.matrix import Shopper
from features.catalog.counters import DAY_S
from features.events.event import EventType
from serving.ranking.exclusions import for_shopper, outcome
from serving.ranking.request import Recommend, Search
from serving.ranking.values import Known, ShopperState, Unavailable, Unknown
from serving.search.filters import Filters
from serving.types import Exclusion
from tests.support.fakes import NOW_S, given, state

EVER = Recommend((), Filters(exclude_item_ids=("x",), bought_within_s=math.inf))
BUYER = Shopper(state("milk", "oat", kind=EventType.PURCHASE))


def excluded(source: Recommend, states: Shopper, at_s: float = NOW_S) -> set[str]:
    filters = for_shopper(source, states, at_s).filters
    assert filters is not None
    return set(filters.exclude_item_ids)


def test_purchases_of_user_and_session_are_left_out_beside_what_the_caller_named() -> None:
    session = state("bread", kind=EventType.PURCHASE, user=False)
    assert excluded(EVER, Shopper(BUYER.user, session)) == {"x", "milk", "oat", "bread"}
    assert excluded(EVER, Shopper(None, session)) == {"x", "bread"}


def test_what_was_only_looked_at_is_not_left_out() -> None:
    assert excluded(EVER, Shopper(state("milk", kind=EventType.ADD_TO_CART))) == {"x"}


def test_only_the_last_days_count_where_the_caller_says_so() -> None:
    week = Recommend((), Filters(bought_within_s=7 * DAY_S))
    assert excluded(week, BUYER, NOW_S + 6.9 * DAY_S) == {"milk", "oat"}
    assert for_shopper(week, BUYER, NOW_S + 7.1 * DAY_S) is week


def test_what_was_hidden_is_left_out_where_the_items_are_ours_to_choose() -> None:
    hider = Shopper(state("milk", kind=EventType.HIDE), state("oat", kind=EventType.HIDE))
    assert excluded(Recommend(), hider) == {"milk", "oat"}
    assert excluded(EVER, hider) == {"x", "milk", "oat"}
    browsed = for_shopper(Search(""), hider, NOW_S).filters
    assert browsed is not None
    assert set(browsed.exclude_item_ids) == {"milk", "oat"}
    for source in (Search("milk"), given("milk")):
        assert for_shopper(source, hider, NOW_S) is source


@pytest.mark.parametrize("filters", [None, Filters()])
def test_purchases_stay_where_nobody_asked(filters: Filters | None) -> None:
    source = Recommend((), filters)
    assert for_shopper(source, BUYER, NOW_S) is source
    assert outcome(source, Known(BUYER)) is None


@pytest.mark.parametrize(
    ("shopper", "told"),
    [
        (Known(BUYER), Exclusion.APPLIED),
        (Unknown(), Exclusion.UNKNOWN_SHOPPER),
        (Unavailable(), Exclusion.FEATURES_UNAVAILABLE),
    ],
)
def test_whether_purchases_were_left_out_is_told(shopper: ShopperState, told: Exclusion) -> None:
    assert outcome(EVER, shopper) is told
