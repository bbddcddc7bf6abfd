"""Popularity counts shoppers, not events: what one of them gives an item is bounded."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from features.behavior.aggregator import Aggregator
from features.behavior.shares import AT_MOST, FORGOTTEN
from features.behavior.state import USER_BOUNDS
from features.catalog.counters import DAY_S, HALF_LIFE, Counter
from features.catalog.item import ItemFacts
from features.events.event import BehaviorEvent, EventType

NOW_S = 1_700_000_000.0
ITEM_IDS = [f"i{n}" for n in range(400)]
ROW_OF = {item_id: row for row, item_id in enumerate(ITEM_IDS)}
ROWS = np.arange(len(ITEM_IDS))
FACTS = {item_id: ItemFacts(("A",), "b", 1.0) for item_id in ITEM_IDS}

Told = tuple[EventType, float, str, str]  # kind, time, user, item


def folded(told: Iterable[Told], position: int | None = None) -> Aggregator:
    fold = Aggregator(ROW_OF, FACTS)
    for seq, (kind, at_s, user_id, item_id) in enumerate(told, 1):
        event = BehaviorEvent(f"e{seq}", kind, at_s, user_id, None, item_id, position=position)
        fold.apply(event, seq)
    return fold


def count(fold: Aggregator, item_id: str, counter: Counter, half_life: str = "7d") -> float:
    return float(fold.items.at(ROWS, NOW_S)[ROW_OF[item_id], counter, HALF_LIFE[half_life]])


@pytest.mark.parametrize(
    ("kind", "counter"),
    [
        (EventType.IMPRESSION, Counter.EXAMINED),
        (EventType.CLICK, Counter.INTEREST),
        (EventType.ADD_TO_CART, Counter.CART),
        (EventType.PURCHASE, Counter.PURCHASE),
        (EventType.RETURN, Counter.RETURN),
    ],
)
def test_five_hundred_events_of_one_shopper_count_as_a_few(
    kind: EventType, counter: Counter
) -> None:
    flood = folded((kind, NOW_S - 500 + n, "flooder", "i0") for n in range(500))
    two = folded((kind, NOW_S, user, "i0") for user in ("ann", "bob"))
    assert count(flood, "i0", counter) == pytest.approx(AT_MOST[counter], rel=1e-3)
    assert count(two, "i0", counter) == 2.0


def test_a_flood_that_goes_on_for_weeks_or_comes_out_of_order_gets_no_more() -> None:
    rng = np.random.default_rng(0)
    ages_s = rng.uniform(0, 60 * DAY_S, 2_000).tolist()
    for times in (sorted(ages_s, reverse=True), sorted(ages_s), ages_s):
        fold = folded((EventType.CLICK, NOW_S - age_s, "flooder", "i0") for age_s in times)
        assert count(fold, "i0", Counter.INTEREST) <= AT_MOST[Counter.INTEREST] * 1.001


def test_events_of_very_many_items_in_turn_do_not_get_round_the_bound() -> None:
    fold = folded(
        (EventType.PURCHASE, NOW_S - 20_000 + n, "flooder", ITEM_IDS[n % 400])
        for n in range(20_000)
    )
    most = fold.items.at(ROWS, NOW_S)[:, Counter.PURCHASE, HALF_LIFE["7d"]].max()
    assert most <= AT_MOST[Counter.PURCHASE] * 1.001
    shares = fold.users["flooder"].given
    assert FORGOTTEN in shares
    assert len(shares) <= 2 * USER_BOUNDS.shares + 1


def test_what_is_bought_every_week_counts_in_full() -> None:
    weekly = folded(
        (EventType.PURCHASE, NOW_S - week * 7 * DAY_S, "ann", "i0") for week in reversed(range(52))
    )
    shoppers = folded(
        (EventType.PURCHASE, NOW_S - week * 7 * DAY_S, f"u{week}", "i0") for week in range(52)
    )
    for half_life in HALF_LIFE:
        bought = count(weekly, "i0", Counter.PURCHASE, half_life)
        assert bought == pytest.approx(count(shoppers, "i0", Counter.PURCHASE, half_life), rel=1e-4)


def test_impressions_of_one_shopper_do_not_sink_a_rival() -> None:
    fold = folded((EventType.IMPRESSION, NOW_S, "rival", "i0") for _ in range(5_000))
    honest = folded((EventType.IMPRESSION, NOW_S, f"u{n}", "i0") for n in range(100))
    assert count(fold, "i0", Counter.EXAMINED) <= 0.05 * count(honest, "i0", Counter.EXAMINED)


def test_returns_take_no_more_from_an_item_than_their_shopper_gave() -> None:
    honest = [(EventType.PURCHASE, NOW_S - n, f"u{n}", "i0") for n in range(20, 0, -1)]
    spite = [
        (kind, NOW_S, "flooder", "i0")
        for kind in (EventType.PURCHASE, EventType.RETURN)
        for _ in range(300)
    ]
    left = count(folded([*honest, *spite]), "i0", Counter.PURCHASE)
    assert left == pytest.approx(count(folded(honest), "i0", Counter.PURCHASE), rel=1e-4)


N_SHOPPERS = 2_000


def honest_shop(rng: np.random.Generator) -> Iterator[Told]:
    """A few weeks of shoppers who click, and buy a third of what they click, by Zipf's law."""
    appeal = 1.0 / np.arange(1, len(ITEM_IDS) + 1)
    visits = rng.choice(len(ITEM_IDS), 40 * N_SHOPPERS, p=appeal / appeal.sum())
    at_s = NOW_S - np.sort(rng.uniform(0, 28 * DAY_S, len(visits)))[::-1]
    users = rng.integers(0, N_SHOPPERS, len(visits))
    bought = rng.random(len(visits)) < 1 / 3
    for row, at, user, buys in zip(visits, at_s.tolist(), users, bought, strict=True):
        yield EventType.CLICK, at, f"u{user}", ITEM_IDS[row]
        if buys:
            yield EventType.PURCHASE, at, f"u{user}", ITEM_IDS[row]


def test_one_shopper_in_a_hundred_who_floods_leaves_the_top_twenty_to_the_others() -> None:
    rng = np.random.default_rng(1)
    honest = list(honest_shop(rng))
    kinds = (EventType.CLICK, EventType.ADD_TO_CART, EventType.PURCHASE)
    flood = [
        (kinds[n % 3], NOW_S - 600 + n, f"flooder{shopper}", ITEM_IDS[-1 - n // 3 % 10])
        for shopper in range(N_SHOPPERS // 100)
        for n in range(500)
    ]
    tops = []
    for told in (honest, [*honest, *flood]):
        demand = folded(told).items.demand(ROWS, NOW_S)
        tops.append(set(np.argsort(-demand, kind="stable")[:20].tolist()))
    assert len(tops[0] & tops[1]) >= 18


def test_it_is_told_that_a_shopper_gave_too_much() -> None:
    fold = Aggregator(ROW_OF, FACTS)
    told = [
        fold.apply(BehaviorEvent(f"e{n}", EventType.PURCHASE, NOW_S, "ann", "s", "i0"), n + 1)
        for n in range(5)
    ]
    assert told == [False, False, False, True, True]
    assert not fold.apply(BehaviorEvent("e9", EventType.PURCHASE, NOW_S, "bob", "s", "i0"), 9)


def test_without_a_user_the_session_is_the_shopper() -> None:
    fold = Aggregator(ROW_OF, FACTS)
    for n in range(100):
        fold.apply(BehaviorEvent(f"e{n}", EventType.CLICK, NOW_S, None, "s", "i0"), n + 1)
    assert count(fold, "i0", Counter.INTEREST) == AT_MOST[Counter.INTEREST]
