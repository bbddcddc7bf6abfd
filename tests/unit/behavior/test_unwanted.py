"""What a shopper hid, and what it was shown in vain."""

from collections.abc import Sequence

import numpy as np
import pytest

from features.behavior.aggregator import Aggregator
from features.behavior.state import SESSION_BOUNDS, USER_BOUNDS, BehaviorState
from features.behavior.unwanted import SHOWN_HALF_LIFE_S, hidden_items, shown_often
from features.catalog.counters import DAY_S, HOUR_S
from features.catalog.item import ItemFacts
from features.events.event import BehaviorEvent, EventType, sign_in

NOW_S = 1_700_000_000.0
FACTS = {f"i{n}": ItemFacts((f"C{n % 3}",), f"B{n % 5}", float(n % 4)) for n in range(1000)}
ROW_OF = {item_id: row for row, item_id in enumerate(FACTS)}
HIDE, UNHIDE, IMPRESSION = EventType.HIDE, EventType.UNHIDE, EventType.IMPRESSION


def event(
    at: float, kind: EventType, item_id: str = "i1", user: str | None = "ann", **fields: object
) -> BehaviorEvent:
    given: dict[str, object] = {"session_id": "s", **fields}
    return BehaviorEvent(
        f"{kind}-{at}-{item_id}", kind, NOW_S + at, user, item_id=item_id, **given  # type: ignore[arg-type]
    )  # fmt: skip


def folded(*told: BehaviorEvent) -> Aggregator:
    fold = Aggregator(ROW_OF, FACTS)
    for seq, each in enumerate(told, 1):
        fold.apply(each, seq)
    return fold


def user_of(*told: BehaviorEvent) -> BehaviorState:
    return folded(*told).users["ann"]


def shown(state: BehaviorState) -> dict[str, float]:
    return {item_id: times for item_id, (_, times) in state.shown.items()}


def test_a_hidden_item_is_hidden_for_user_and_session() -> None:
    fold = folded(event(0, HIDE))
    for state in (fold.users["ann"], fold.sessions["s"]):
        assert hidden_items([state]) == {"i1"}


@pytest.mark.parametrize("kind", [UNHIDE, EventType.ADD_TO_CART, EventType.PURCHASE])
def test_it_is_taken_back_by_what_shows_that_it_is_wanted(kind: EventType) -> None:
    user = user_of(event(0, HIDE), event(1, kind))
    assert hidden_items([user]) == set()
    assert hidden_items([user_of(event(0, HIDE), event(1, kind), event(2, HIDE))]) == {"i1"}


@pytest.mark.parametrize("kind", [EventType.VIEW, EventType.CLICK, IMPRESSION])
def test_to_look_at_it_takes_nothing_back(kind: EventType) -> None:
    assert hidden_items([user_of(event(0, HIDE), event(1, kind))]) == {"i1"}


@pytest.mark.parametrize("late", [event(1, HIDE), event(1, UNHIDE)])
def test_the_newest_word_counts_also_when_an_older_one_comes_late(late: BehaviorEvent) -> None:
    newer = event(2, UNHIDE if late.type is HIDE else HIDE)
    assert hidden_items([user_of(newer, late)]) == hidden_items([user_of(late, newer)])


def test_of_user_and_session_the_newer_word_counts() -> None:
    fold = folded(event(0, HIDE), event(1, UNHIDE, session_id=None))
    assert hidden_items([fold.users["ann"], fold.sessions["s"]]) == set()
    fold = folded(event(0, UNHIDE), event(1, HIDE, user=None))
    assert hidden_items([fold.users["ann"], fold.sessions["s"]]) == {"i1"}


def test_a_hide_is_no_interaction_and_counts_for_no_item() -> None:
    fold = folded(event(0, HIDE), event(1, UNHIDE))
    assert fold.users["ann"].n_interactions == fold.sessions["s"].n_interactions == 0
    assert fold.users["ann"].counts == {HIDE: 1, UNHIDE: 1}
    assert not fold.items.at(np.arange(len(FACTS)), NOW_S + 1).any()


def test_taste_never_grows_by_a_hide() -> None:
    assert user_of(event(0, HIDE)).categories == {}
    clicks = [event(0, EventType.CLICK), event(1, EventType.CLICK, "i4")]  # of one category
    looked, hid = user_of(*clicks), user_of(*clicks, event(2, HIDE))
    assert hid.categories["C1"] == pytest.approx(looked.categories["C1"] / 2, rel=1e-3)
    assert "B1" not in hid.brands
    assert list(hid.recent) == ["i4"]


def test_a_click_after_the_hide_speaks_for_the_item_again() -> None:
    later = event(2, EventType.CLICK)
    assert list(user_of(event(1, HIDE), later).recent) == ["i1"]
    assert list(user_of(later, event(1, HIDE)).recent) == ["i1"]  # also when the hide comes late


def test_the_newest_hides_are_kept() -> None:
    hides = [event(n, HIDE, f"i{n}") for n in range(400)]
    fold = folded(*hides)
    for state, bound in ((fold.users["ann"], USER_BOUNDS), (fold.sessions["s"], SESSION_BOUNDS)):
        assert list(state.hidden) == [f"i{n}" for n in range(400 - bound.hidden, 400)]
    late = folded(*hides, event(-1, HIDE, "i999")).users["ann"]
    assert "i999" not in late.hidden


def test_what_a_guest_hid_stays_hidden_after_the_sign_in() -> None:
    guest = [event(0, EventType.CLICK, user=None), event(1, HIDE, user=None)]
    known = event(-5, EventType.CLICK, session_id=None)
    user = user_of(known, *guest, sign_in("ann", "s", NOW_S + 2))
    assert hidden_items([user]) == {"i1"}
    assert "i1" not in user.recent


@pytest.mark.parametrize("kind", [UNHIDE, EventType.ADD_TO_CART])
def test_what_a_guest_wanted_after_the_user_had_hidden_it_is_shown(kind: EventType) -> None:
    hidden, wanted = event(0, HIDE, session_id=None), event(1, kind, user=None)
    assert hidden_items([user_of(hidden, wanted, sign_in("ann", "s", NOW_S + 2))]) == set()
    hidden_later = event(1.5, HIDE, session_id=None)
    assert hidden_items([user_of(wanted, hidden_later, sign_in("ann", "s", NOW_S + 2))]) == {"i1"}


def test_impressions_that_lead_to_nothing_are_counted_and_fade() -> None:
    user = user_of(event(0, IMPRESSION), event(1, IMPRESSION), event(SHOWN_HALF_LIFE_S, IMPRESSION))
    assert shown(user) == pytest.approx({"i1": 2.0}, rel=1e-3)
    backwards = user_of(
        event(SHOWN_HALF_LIFE_S, IMPRESSION), event(1, IMPRESSION), event(0, IMPRESSION)
    )
    assert backwards.shown["i1"] == pytest.approx(user.shown["i1"])


TAKES_UP = [
    EventType.VIEW, EventType.CLICK, EventType.DWELL, EventType.ADD_TO_CART, EventType.PURCHASE,
]  # fmt: skip


@pytest.mark.parametrize("kind", [*TAKES_UP, HIDE])
def test_they_begin_anew_when_the_item_is_taken_up(kind: EventType) -> None:
    told = [*(event(n, IMPRESSION) for n in range(5)), event(5, kind, dwell_ms=20_000)]
    assert shown(user_of(*told)) == {}
    assert shown(user_of(*told, event(6, IMPRESSION))) == {"i1": 1.0}


def test_an_impression_that_comes_after_its_click_is_none_in_vain() -> None:
    assert shown(user_of(event(1, EventType.CLICK), event(0, IMPRESSION))) == {}


def test_only_what_was_shown_most_is_kept() -> None:
    often = [event(n, IMPRESSION, f"i{k}") for n in range(3) for k in range(10)]
    once = [event(10 + n, IMPRESSION, f"i{n}") for n in range(10, 900)]
    fold = folded(*often, *once)
    for state, bound in ((fold.users["ann"], USER_BOUNDS), (fold.sessions["s"], SESSION_BOUNDS)):
        assert len(state.shown) <= 2 * bound.shown
        assert {f"i{k}" for k in range(10)} <= set(state.shown)


def test_a_sign_in_adds_up_impressions_but_of_what_was_taken_up_since() -> None:
    def merged(*told: BehaviorEvent) -> dict[str, float]:
        return shown(user_of(*told, sign_in("ann", "s", NOW_S + 9)))

    both: Sequence[BehaviorEvent] = (
        event(0, IMPRESSION, session_id=None), event(1, IMPRESSION, user=None),
    )  # fmt: skip
    assert merged(*both) == pytest.approx({"i1": 2.0}, rel=1e-3)
    assert merged(*both, event(2, EventType.CLICK, user=None)) == {}
    assert merged(*both, event(2, EventType.CLICK, session_id=None)) == {}


def test_what_was_shown_often_recovers_when_it_is_not_shown() -> None:
    fold = folded(*(event(n, IMPRESSION) for n in range(6)), event(0, IMPRESSION, "i2"))
    states = [fold.users["ann"], fold.sessions["s"]]
    now_s = NOW_S + 5
    ((item_id, (left, times)),) = shown_often(states, now_s, 3.0, HOUR_S).items()
    assert item_id == "i1"
    assert left == times == pytest.approx(6.0, rel=1e-3)  # once, though both states tell it
    assert shown_often(states, now_s + 0.9 * HOUR_S, 3.0, HOUR_S).keys() == {"i1"}
    assert shown_often(states, now_s + 1.1 * HOUR_S, 3.0, HOUR_S) == {}
    assert shown_often(states, now_s + 1.1 * HOUR_S, 3.0, 30 * DAY_S).keys() == {"i1"}
