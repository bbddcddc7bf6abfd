"""What the fold promises: order and repetition do not matter, and nothing grows without bound."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.behavior.aggregator import Aggregator
from features.behavior.state import SESSION_BOUNDS, USER_BOUNDS, BehaviorState, Bounds
from features.catalog.counters import DAY_S
from features.catalog.item import ItemFacts
from features.events.event import OF_ANSWERS, BehaviorEvent, EventType

NOW_S = 1_700_000_000.0
ITEM_IDS = [f"i{n}" for n in range(400)]
ROW_OF = {item_id: row for row, item_id in enumerate(ITEM_IDS)}
FACTS = {
    item_id: ItemFacts(
        (f"C{n % 7}", f"C{n % 7} > {n % 61}", f"C{n % 7} > {n % 61} > {n}"),
        f"Brand {n % 173}",
        float("nan") if n % 11 == 0 else (n % 13) / 3,
    )
    for n, item_id in enumerate(ITEM_IDS)
}

# A return takes its purchase back only when it comes after it, as a hide takes its item out of the
# recent ones, and a sign-in tells of what was before it: their order is part of their meaning.
ORDER_DEPENDENT = (EventType.RETURN, EventType.SIGN_IN, EventType.HIDE, EventType.FORGET)
FOLDED = [kind for kind in EventType if kind not in OF_ANSWERS]
ORDER_FREE = [kind for kind in FOLDED if kind not in ORDER_DEPENDENT]


def events(
    kinds: Sequence[EventType], n_items: int, span_s: float
) -> st.SearchStrategy[BehaviorEvent]:
    """Events of one shopper in one session, within `span_s` before NOW_S."""
    return st.builds(
        BehaviorEvent,
        event_id=st.uuids().map(str),
        type=st.sampled_from(kinds),
        at_s=st.floats(NOW_S - span_s, NOW_S),
        user_id=st.just("u"),
        session_id=st.just("s"),
        item_id=st.sampled_from(ITEM_IDS[:n_items]),
        query=st.none() | st.sampled_from(["milk", "bread", "tea"]),
        position=st.integers(1, 50),
        dwell_ms=st.integers(0, 60_000),
    )


def folded(batch: Sequence[BehaviorEvent]) -> Aggregator:
    fold = Aggregator(ROW_OF, FACTS)
    for seq, event in enumerate(batch, 1):
        fold.apply(event, seq)
    return fold


def shares(weights: dict[str, float]) -> dict[str, float]:
    total = sum(weights.values()) or 1.0
    return {name: weight / total for name, weight in weights.items()}


def assert_same_meaning(one: BehaviorState, two: BehaviorState) -> None:
    """Equal up to rounding; forward-decayed sums up to their common factor."""
    assert (one.counts, one.first_s, one.last_s) == (two.counts, two.first_s, two.last_s)
    assert (one.recent, one.bought, one.queries) == (two.recent, two.bought, two.queries)
    for name in ("categories", "brands"):
        left, right = shares(getattr(one, name)), shares(getattr(two, name))
        assert left == pytest.approx(right, rel=1e-6, abs=1e-9)
    if one.price_weight > 0:
        for name in ("price_sum", "price_square_sum"):
            left_mean = getattr(one, name) / one.price_weight
            assert left_mean == pytest.approx(getattr(two, name) / two.price_weight, abs=1e-6)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_the_order_of_arrival_does_not_matter(data: st.DataObject) -> None:
    """While nothing is evicted, and nobody gives an item a full share of its counters."""
    batch = data.draw(
        st.lists(
            events(ORDER_FREE, 15, 30 * DAY_S),
            min_size=1,
            max_size=25,
            unique_by=lambda event: (event.type, event.item_id),
        )
    )
    shuffled = data.draw(st.permutations(batch))
    one, two = folded(batch), folded(shuffled)
    assert_same_meaning(one.users["u"], two.users["u"])
    rows = np.arange(len(ITEM_IDS))
    np.testing.assert_allclose(
        one.items.at(rows, NOW_S), two.items.at(rows, NOW_S), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_array_equal(one.items.first_s, two.items.first_s)
    np.testing.assert_array_equal(one.items.at_s, two.items.at_s)


@settings(max_examples=40, deadline=None)
@given(st.lists(events(FOLDED, 40, 300 * DAY_S), min_size=1, max_size=40))
def test_replaying_twice_changes_nothing(batch: list[BehaviorEvent]) -> None:
    once, twice = folded(batch), folded(batch)
    for seq, event in enumerate(batch, 1):
        twice.apply(event, seq)
    assert once.users == twice.users
    assert once.sessions == twice.sessions
    np.testing.assert_array_equal(once.items.counts, twice.items.counts)


def assert_within(state: BehaviorState, bounds: Bounds) -> None:
    assert len(state.recent) <= bounds.recent_items
    assert len(state.bought) <= bounds.bought_items
    assert len(state.queries) <= bounds.queries
    assert len(state.categories) <= 2 * bounds.affinities
    assert len(state.brands) <= 2 * bounds.affinities
    numbers = [*state.categories.values(), *state.brands.values(), state.price_square_sum]
    assert np.isfinite(numbers).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.floats(1.0, 4000 * DAY_S))
def test_a_state_stays_within_its_bounds_whatever_happens(seed: int, span_s: float) -> None:
    rng = np.random.default_rng(seed)
    kinds = FOLDED
    fold = Aggregator(ROW_OF, FACTS)
    for seq in range(1, 1500):
        event = BehaviorEvent(
            f"e{seq}",
            kinds[int(rng.integers(len(kinds)))],
            NOW_S - float(rng.random()) * span_s,
            "u",
            "s",
            ITEM_IDS[int(rng.integers(len(ITEM_IDS)))],
            query=f"query {rng.integers(1000)}",
            dwell_ms=20_000,
        )
        fold.apply(event, seq)
    assert_within(fold.users["u"], USER_BOUNDS)
    assert_within(fold.sessions["s"], SESSION_BOUNDS)


def test_a_late_event_counts_as_if_it_had_been_on_time() -> None:
    early = BehaviorEvent("e1", EventType.PURCHASE, NOW_S - 3 * DAY_S, "u", "s", "i1")
    middle = BehaviorEvent("e2", EventType.VIEW, NOW_S - 2 * DAY_S, "u", "s", "i2")
    newest = BehaviorEvent("e3", EventType.CLICK, NOW_S, "u", "s", "i1")
    on_time, late = folded([early, middle, newest]), folded([newest, middle, early])
    assert_same_meaning(on_time.users["u"], late.users["u"])
    assert list(late.users["u"].recent) == list(on_time.users["u"].recent) == ["i2", "i1"]


def test_an_event_of_an_unknown_item_counts_and_teaches_no_taste() -> None:
    fold = folded(
        [BehaviorEvent("e1", EventType.PURCHASE, NOW_S, "u", "s", "not in the catalogue")]
    )
    state = fold.users["u"]
    assert state.n_interactions == 1
    assert not state.categories
    assert not state.brands
    assert (fold.items.at_s == 0).all()
