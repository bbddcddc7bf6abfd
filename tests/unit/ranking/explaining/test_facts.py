"""A reason is never false: each says what the state, the catalogue or the counters hold."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from features.arrays import DoubleArray, FloatArray
from features.behavior.fold import fold
from features.behavior.matrix import FEATURE_NAMES, Shopper, behavior_features
from features.behavior.state import SESSION_BOUNDS, USER_BOUNDS, BehaviorState
from features.catalog.counters import DAY_S, Counter, ItemCounters
from features.events.event import BehaviorEvent, EventType
from serving.models.columns.families import Family
from serving.models.tokenizer import Tokenizer
from serving.ranking.explaining.facts import Fact, Facts, sold_at_least
from serving.ranking.explaining.phrases import phrase
from serving.ranking.explaining.told import Because
from serving.ranking.values import Evidence, Resolved
from serving.search.dense import DenseIndex
from serving.search.matcher import Matcher
from serving.search.relevance import COLUMNS, EXACT_CODE, Matches, usual_models
from serving.search.words.analysis import Analyzer
from serving.shops.items import ItemCache
from serving.types import Cause
from tests.support.fakes import NOW_S, candidates, context, groceries, matrix

VIEW, CART, BUY = EventType.VIEW, EventType.ADD_TO_CART, EventType.PURCHASE


@pytest.fixture
def items(encoder: Tokenizer) -> ItemCache:
    return groceries(encoder)


def did(items: ItemCache, *done: tuple[str, EventType, float], user: bool = True) -> BehaviorState:
    """Somebody who did each with an item, so many days ago."""
    state, bounds = BehaviorState(), USER_BOUNDS if user else SESSION_BOUNDS
    for number, (item_id, kind, days) in enumerate(sorted(done, key=lambda each: -each[2])):
        event = BehaviorEvent(f"e{number}", kind, NOW_S - days * DAY_S, item_id=item_id)
        fold(state, event, items.table.facts.get(item_id), bounds)
    return state


def told(
    items: ItemCache,
    item_id: str,
    user: BehaviorState | None = None,
    session: BehaviorState | None = None,
    because: Because | None = None,
    reminder: Because | None = None,
    relevance: float | None = None,
    cosine: float = 0.0,
    written: str = "",
    columns: dict[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Fact]:
    """The facts of one item, by key."""
    table, shopper = items.table, Shopper(user, session)
    rows = table.rows([item_id])
    counters = ItemCounters(len(table))
    values = behavior_features(shopper, table, counters, rows, NOW_S)
    for name, value in (columns or {}).items():
        values[:, FEATURE_NAMES.index(name)] = value
    offered = candidates(item_id, items=items)
    if relevance is not None:
        match = np.zeros((1, len(COLUMNS)), np.float32)
        match[0, COLUMNS.index("cosine")] = cosine
        offered = replace(offered, matches=Matches(np.array([relevance], np.float32), match))
    evidence = Evidence(shopper, shopper.histories(table), shopper)
    unused: Any = None
    matcher = Matcher(Analyzer(), DenseIndex(), usual_models().items, reads_pictures=True)
    matcher.take_written(rows, [written], table)
    resolved = Resolved(
        shop=SimpleNamespace(  # type: ignore[arg-type]
            items=items, language="en", retrieval=SimpleNamespace(matcher=matcher)
        ),
        context=context(**fields), source=unused, shopper=unused, asked=unused, assignment=unused,
        candidates=offered, evidence=evidence,
        features=replace(matrix(1, rows=rows), values=values), stages=unused,
    )  # fmt: skip
    return {fact.key: fact for fact in Facts(resolved).of(0, because, reminder)}


def test_purchases_are_told_with_their_number_and_the_last(items: ItemCache) -> None:
    ann = did(items, *(("milk", BUY, days) for days in (90.5, 40.5, 30.5, 12.5)))
    assert told(items, "milk", ann)["bought"].given == {"times": 4, "days_ago": 12}
    assert "bought" not in told(items, "bread", ann)


def test_one_who_forgot_older_purchases_tells_no_number(items: ItemCache) -> None:
    ann = did(items, ("milk", BUY, 3.0))
    ann.bought |= {f"old{n}": (1.0, NOW_S, NOW_S, 1.0) for n in range(USER_BOUNDS.bought_items)}
    found = told(items, "milk", ann)
    assert found["bought_often"].given == {"days_ago": 3}
    assert "bought" not in found


def test_of_one_purchase_there_is_no_last_time(items: ItemCache) -> None:
    found = told(items, "milk", did(items, ("milk", BUY, 12.5)))
    assert found["bought_once"].given == {"days_ago": 12}
    assert "bought" not in found
    assert phrase("en", "bought_once", days_ago=0) == "you bought it once, less than a day ago"


def test_a_rhythm_is_told_only_when_it_is_due(items: ItemCache) -> None:
    weekly = did(items, *(("milk", BUY, days) for days in (28.0, 21.0, 14.0, 7.0)))
    assert told(items, "milk", weekly)["due"].given == {"every_days": 7, "days_ago": 7}
    early = did(items, *(("milk", BUY, days) for days in (24.0, 17.0, 10.0, 3.0)))
    assert "due" not in told(items, "milk", early)
    twice = did(items, *(("milk", BUY, days) for days in (14.0, 7.0)))
    assert "due" not in told(items, "milk", twice)


def test_a_look_is_told_with_its_day_and_a_cart_without(items: ItemCache) -> None:
    ann = did(
        items, ("milk", VIEW, 5.5), ("oat", CART, 6.5), ("oat", VIEW, 1.0), ("soap", BUY, 2.0)
    )
    assert told(items, "milk", ann)["viewed"].given == {"days_ago": 5}
    assert told(items, "oat", ann)["cart"].given == {}  # the last look was no cart
    assert "viewed" not in told(items, "soap", ann)
    now = did(items, ("milk", VIEW, 0.01), user=False)
    assert "viewed_now" in told(items, "milk", ann, now)


def test_what_speaks_for_an_item_is_told_with_what_was_done(items: ItemCache) -> None:
    because = Because("milk", "Whole milk", Cause.BOUGHT)
    assert told(items, "bread", because=because)["because_bought"].given == {"title": "Whole milk"}


@pytest.mark.parametrize("title", ["Rye bread", "rye  BREAD"])
def test_what_has_the_same_title_is_no_reason(items: ItemCache, title: str) -> None:
    row = items.table.row_of["bread"]
    items.table.items[row] = replace(items.table.items[row], title="Rye bread")
    same = Because("rye", title, Cause.BOUGHT)
    assert told(items, "bread", because=same) == {}
    assert told(items, "bread", reminder=same) == {}


def test_on_a_shelf_of_what_is_like_an_item_that_item_is_told(items: ItemCache) -> None:
    because = Because("milk", "Whole milk", Cause.VIEWED)
    shelf = Because("soap", "Olive soap", Cause.BOUGHT)
    found = told(items, "bread", because=because, reminder=shelf)
    assert list(found) == ["because_bought"]
    assert found["because_bought"].given == {"title": "Olive soap"}
    # It was asked for, so it is told whatever adds to the score.
    assert found["because_bought"].family is Family.QUERY_MATCH


def test_a_category_that_is_divided_on_is_no_reason(items: ItemCache) -> None:
    ann = did(items, *((item_id, VIEW, 0.1) for item_id in ("milk", "oat", "butter")))
    row = items.table.row_of["bread"]
    levels = items.table.items[row].category_levels
    assert len(levels) > 1
    assert levels[0] == items.table.items[items.table.row_of["milk"]].category_levels[0]
    assert "category" not in told(items, "bread", ann)


def test_a_taste_is_told_as_the_share_that_it_is(items: ItemCache) -> None:
    ann = did(items, ("milk", VIEW, 0.1), ("butter", VIEW, 0.1), ("dress", VIEW, 0.1))
    found = told(items, "oat", ann)["category"].given
    assert found == {"name": "Milk", "share": 33}
    assert told(items, "butter", ann)["brand"].given == {"name": "Meadow", "share": 67}
    assert "category" not in told(items, "glass", ann)


@pytest.mark.parametrize(("item_id", "near"), [("bread", True), ("dress", False), ("plain", False)])
def test_a_price_is_near_only_within_what_is_told(
    items: ItemCache, item_id: str, near: bool
) -> None:
    ann = did(items, ("glass", VIEW, 0.1))  # 4.00; bread is 3.50, 12.5 % less
    found = told(items, item_id, ann)
    assert ("price" in found) is near
    if near:
        price = items.table.items[items.table.row_of[item_id]].price
        assert abs(price / 4.0 - 1) <= found["price"].given["share"] / 100


@pytest.mark.parametrize(
    ("query", "key"),
    [("olive soap", "title"), ("soap linen", "facts"), ("hand made soap", "text"),
     ("soap dish", "part"), ("washing", "meaning")],
)  # fmt: skip
def test_a_query_is_told_to_stand_where_it_stands(items: ItemCache, query: str, key: str) -> None:
    found = told(items, "soap", query=query, relevance=0.8, cosine=0.5)
    assert list(found) == [key]
    assert found[key].given["query"] == query
    if key == "part":
        assert found[key].given["words"] == "soap"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("oatcakes", "oatcakes"),
        ("绿茶", "绿茶"),
        ("soap with palm", "palm"),
        ("olive palm", "palm"),
    ],
)
def test_what_stands_on_its_picture_alone_is_told_in_the_querys_words(
    items: ItemCache, query: str, words: str
) -> None:
    written = "Highland Oatcake\n有机绿茶\nwith palm oil <b>"
    found = told(items, "soap", query=query, relevance=0.6, written=written)
    assert found["picture"].given == {"query": query, "words": words}
    assert "picture" not in told(items, "soap", query=query, relevance=0.6)
    assert "picture" not in told(items, "soap", query="olive", relevance=0.6, written="olive")


@pytest.mark.parametrize(
    ("query", "meant"),
    [("olve soop", "olive soap"), ("sopa", "soap"), ("linnen soap", None), ("soa", None),
     ("s0ap", None)],
)  # fmt: skip
def test_a_misspelt_query_is_told_by_what_it_is_like(
    items: ItemCache, query: str, meant: str | None
) -> None:
    found = told(items, "soap", query=query, relevance=0.6)
    assert ("spelling" in found) is (meant is not None)
    if meant is not None:
        assert found["spelling"].given == {"query": query, "words": meant}


def test_what_only_might_mean_the_same_is_not_told(items: ItemCache) -> None:
    assert told(items, "soap", query="washing", relevance=0.2, cosine=0.2) == {}
    assert told(items, "soap", query="1082185", relevance=0.2, cosine=0.5) == {}
    assert list(told(items, "soap", query="soap", relevance=EXACT_CODE)) == ["code"]


@pytest.mark.parametrize(("days", "said"), [(0.5, 0), (3.2, 3), (13.9, 13), (14.5, None)])
def test_an_item_is_new_for_two_weeks(items: ItemCache, days: float, said: int | None) -> None:
    found = told(items, "milk", columns={"item_age_days": math.log1p(days)})
    assert (found["new"].given["days_ago"] if "new" in found else None) == said


def test_an_item_outside_the_catalogue_has_no_facts(items: ItemCache) -> None:
    assert told(items, "who", did(items, ("milk", BUY, 1.0)), query="who", relevance=1.0) == {}


def sold(items: ItemCache, ages: DoubleArray) -> FloatArray:
    """The columns of milk after one purchase at each age, in days."""
    counters, row = ItemCounters(len(items.table)), items.table.rows(["milk"])
    at_s = NOW_S - np.sort(ages)[::-1] * DAY_S
    rows, kinds = np.repeat(row, len(ages)), np.full(len(ages), Counter.PURCHASE, np.int32)
    counters.add(rows, kinds, np.ones(len(ages)), at_s)
    values: FloatArray = behavior_features(Shopper(), items.table, counters, row, NOW_S)[0]
    return values


@pytest.mark.parametrize("seed", range(20))
def test_no_more_purchases_are_told_than_there_were_in_thirty_days(
    items: ItemCache, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    ages = np.concatenate([rng.uniform(0, 30, rng.integers(0, 60)), rng.exponential(90, 200) + 30])
    values = sold(items, ages)
    least, most = sold_at_least(values), int((ages <= 30).sum())
    assert least <= most
    assert "sold" in told(items, "milk", columns=dict(zip(FEATURE_NAMES, values, strict=True))) or (
        least < 5
    )


def test_recent_purchases_are_told(items: ItemCache) -> None:
    assert 10 <= sold_at_least(sold(items, np.arange(20) / 4)) <= 20
