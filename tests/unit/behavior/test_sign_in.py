"""What a session did before it named its user is what the user did, once and for one user."""

from collections.abc import Sequence

import numpy as np
import pytest

from features.behavior.aggregator import Aggregator
from features.behavior.shares import AT_MOST
from features.behavior.state import SESSION_TTL_S
from features.catalog.counters import HALF_LIFE, Counter
from features.catalog.item import ItemFacts
from features.events.event import BehaviorEvent, EventType, sign_in

NOW_S = 1_700_000_000.0
FACTS = {
    "tea": ItemFacts(("Food", "Food > Tea"), "Leaf", 1.0),
    "cup": ItemFacts(("Home", "Home > Cups"), "Clay", 2.0),
    "mug": ItemFacts(("Home", "Home > Mugs"), "Clay", 3.0),
}
ROW_OF = {item_id: row for row, item_id in enumerate(FACTS)}


def event(
    n: int, kind: EventType, item_id: str | None, user: str | None = None, **fields: object
) -> BehaviorEvent:
    return BehaviorEvent(
        f"e{n}", kind, NOW_S + n, user, "s", item_id, **fields  # type: ignore[arg-type]
    )  # fmt: skip


BEFORE = [
    event(1, EventType.SEARCH, None, query="green tea"),
    event(2, EventType.CLICK, "tea"),
    event(3, EventType.ADD_TO_CART, "tea"),
    event(4, EventType.PURCHASE, "tea", value=3.0),
    event(5, EventType.CLICK, "cup"),
]
SIGN_IN = sign_in("ann", "s", NOW_S + 10)


def folded(told: Sequence[BehaviorEvent], times: int = 1) -> Aggregator:
    fold = Aggregator(ROW_OF, FACTS)
    for _ in range(times):
        for seq, each in enumerate(told, 1):
            fold.apply(each, seq)
    return fold


@pytest.mark.parametrize("names", [SIGN_IN, event(10, EventType.CLICK, "mug", "ann")])
def test_a_session_counts_for_the_user_that_it_turns_out_to_be(names: BehaviorEvent) -> None:
    user = folded([*BEFORE, names]).users["ann"]
    alone = folded([event(10, EventType.CLICK, "mug", "ann")]).users["ann"]
    extra = dict(alone.counts) if names.item_id else {}
    clicks = 2 + extra.get("click", 0)
    assert user.counts == {"search": 1, "click": clicks, "add_to_cart": 1, "purchase": 1}
    assert user.bought == {"tea": (1.0, NOW_S + 4, NOW_S + 4, 3.0)}
    assert list(user.recent)[:2] == ["tea", "cup"]
    assert user.queries == {"green tea": NOW_S + 1}
    assert user.first_s == NOW_S + 1
    assert user.categories["Food"] == pytest.approx(5.0, rel=1e-3)
    assert user.categories["Home > Cups"] == pytest.approx(1.0, rel=1e-3)


def test_a_known_user_gets_it_in_addition() -> None:
    known = BehaviorEvent("e0", EventType.PURCHASE, NOW_S, "ann", None, "tea", value=3.0)
    user = folded([known, *BEFORE, SIGN_IN]).users["ann"]
    assert user.bought == {"tea": (2.0, NOW_S, NOW_S + 4, 6.0)}
    assert user.counts["purchase"] == 2


def test_it_counts_once_however_often_it_is_told() -> None:
    told = [*BEFORE, SIGN_IN, event(11, EventType.VIEW, "mug", "ann"), SIGN_IN]
    once, twice = folded(told), folded(told, times=2)
    assert once.users["ann"].counts == {**folded(BEFORE).sessions["s"].counts, "view": 1}
    assert twice.users == once.users
    assert twice.sessions == once.sessions
    np.testing.assert_array_equal(twice.items.counts, once.items.counts)


def test_a_device_that_one_user_has_taken_is_not_given_to_a_second() -> None:
    after = [event(11 + n, EventType.CLICK, "cup") for n in range(3)]  # ann has left it
    fold = folded([*BEFORE, SIGN_IN, *after, sign_in("bob", "s", NOW_S + 20)])
    assert "bob" not in fold.users
    assert fold.users["ann"].counts == folded([*BEFORE, SIGN_IN]).users["ann"].counts
    assert fold.sessions["s"].owner == "ann"


def test_who_signs_in_first_has_the_device_also_when_nothing_was_done_before() -> None:
    fold = folded([sign_in("ann", "s", NOW_S), *BEFORE, sign_in("bob", "s", NOW_S + 20)])
    assert fold.users == {}
    assert fold.sessions["s"].owner == "ann"


def test_a_session_that_was_idle_for_a_day_is_another_session() -> None:
    later_s = NOW_S + 5 + SESSION_TTL_S + 1
    fold = folded([*BEFORE, sign_in("ann", "s", later_s)])
    assert "ann" not in fold.users
    fold = folded([*BEFORE, SIGN_IN, sign_in("bob", "s", later_s)])
    assert fold.sessions["s"].owner == "bob"


def test_signing_in_does_not_give_an_item_a_second_share() -> None:
    clicks = [event(n, EventType.CLICK, "tea") for n in range(1, 20)]
    more = [event(40 + n, EventType.CLICK, "tea", "ann") for n in range(20)]
    fold = folded([*clicks, SIGN_IN, *more])
    counts = fold.items.at(np.array([0]), NOW_S + 60)[0, Counter.INTEREST, HALF_LIFE["7d"]]
    assert counts == pytest.approx(AT_MOST[Counter.INTEREST], rel=1e-3)


def test_a_sign_in_is_no_interaction() -> None:
    fold = folded([event(1, EventType.CLICK, "tea", "ann"), SIGN_IN])
    assert fold.users["ann"].n_interactions == 1
    assert fold.users["ann"].last_s == NOW_S + 1


def test_a_new_user_remembers_the_session_that_it_began_as_and_no_later_one() -> None:
    later = BehaviorEvent("e20", EventType.CLICK, NOW_S + 20, "ann", "s2", "mug")
    assert folded([*BEFORE, SIGN_IN, later]).users["ann"].origin == "s"
    assert folded([event(1, EventType.CLICK, "mug", "ann"), later]).users["ann"].origin == "s"


def test_a_user_who_was_known_before_the_session_stays_known_as_the_user() -> None:
    before = BehaviorEvent("e0", EventType.CLICK, NOW_S, "ann", None, "mug")
    assert folded([before, *BEFORE, SIGN_IN]).users["ann"].origin == ""


def test_the_second_user_of_a_session_did_not_begin_as_it() -> None:
    second = event(20, EventType.CLICK, "mug", "bob")
    assert folded([*BEFORE, SIGN_IN, second]).users["bob"].origin == ""
