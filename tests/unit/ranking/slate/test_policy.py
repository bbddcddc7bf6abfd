"""Scores to an order: a permutation always, and the shop's rules hold in it."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalog.item import Item
from features.catalog.table import ItemTable
from serving.experiments.assignment import Assignment
from serving.ranking.slate.policy import SlatePolicy
from serving.ranking.values import FeatureMatrix, Slate
from serving.shops.rules import Rules
from serving.types import Route
from tests.support.fakes import NOW_S, candidates, context, matrix, scores

NO_CHANCE = {"exploration": {"share": 0.0}}
FREE = {**NO_CHANCE, "diversity": {"depth": 0}}
ITEMS = ItemTable(
    Item(f"i{n}", f"Item {n}", category=f"Top > C{n % 3}", brand=f"B{n % 4}") for n in range(40)
)


def features(n: int, **columns: Any) -> FeatureMatrix:
    rows = np.arange(n)
    return matrix(n, rows=rows, category=ITEMS.category[rows], brand=ITEMS.brand[rows], **columns)


def slate(values: list[float], rules: dict[str, Any], seed: int = 0, **fields: Any) -> Slate:
    n = len(values)
    exposure = np.array(fields.pop("exposure", np.full(n, np.inf)), np.float32)
    columns = features(n, exposure=exposure)
    return ordered(SlatePolicy(np.random.default_rng(seed)), rules, columns, values, **fields)


def ordered(
    policy: SlatePolicy,
    rules: dict[str, Any],
    columns: FeatureMatrix,
    values: list[float],
    **fields: Any,
) -> Slate:
    about, offered = context(**fields), candidates(*(f"i{i}" for i in range(len(values))))
    parsed, scored = Rules.model_validate(rules), scores(*values)
    made = policy.order(ITEMS, parsed, about, offered, columns, scored.values)
    return Slate(
        about,
        Assignment(parsed),
        offered,
        columns,
        scored,
        made.values,
        made.order,
        made.propensity,
        made.notes,
        Route.MODEL,
    )


def ids(answer: Slate) -> list[str]:
    return [answer.candidates.item_ids[index] for index in answer.order.tolist()]


finite = st.floats(-1e6, 1e6, width=32)
some_rules = st.fixed_dictionaries(
    {
        "boosts": st.lists(
            st.fixed_dictionaries(
                {
                    "match": st.sampled_from(
                        [{"brand": "B1"}, {"category": "Top > C2"}, {"item_id": "i3"}]
                    ),
                    "lift": st.floats(-10, 10),
                    "reason": st.just("because"),
                }
            ),
            max_size=2,
        ),
        "buries": st.sampled_from([[], [{"match": {"brand": "B2"}, "reason": "recall"}]]),
        "pins": st.lists(
            st.fixed_dictionaries(
                {
                    "item_id": st.sampled_from([f"i{n}" for n in range(12)]),
                    "position": st.integers(1, 15),
                    "reason": st.just("ours"),
                }
            ),
            max_size=4,
            unique_by=lambda pin: pin["position"],
        ),
        "diversity": st.fixed_dictionaries(
            {
                "by": st.sampled_from(["category", "brand"]),
                "max_same": st.integers(1, 3),
                "window": st.integers(2, 5),
                "depth": st.integers(0, 20),
            }
        ),
        "exploration": st.fixed_dictionaries(
            {
                "share": st.floats(0, 0.5),
                "position": st.integers(1, 12),
                "choice": st.sampled_from(["evenly", "thompson"]),
                "sampling": st.fixed_dictionaries(
                    {
                        "share": st.sampled_from([0.0, 0.5, 1.0]),
                        "temperature": st.floats(0.01, 10),
                        "first": st.integers(1, 12),
                        "places": st.integers(1, 20),
                        "among": st.integers(2, 10),
                    }
                ),
            }
        ),
    }
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(finite, st.floats(0, 10)), max_size=25), some_rules, st.integers(0, 2**32)
)
def test_a_slate_is_a_permutation_of_its_candidates_whatever_the_rules(
    drawn: list[tuple[float, float]], rules: dict[str, Any], seed: int
) -> None:
    answer = slate([v for v, _ in drawn], rules, seed, exposure=[e for _, e in drawn])
    assert sorted(answer.order.tolist()) == list(range(len(drawn)))
    assert answer.propensity.shape == answer.order.shape
    assert ((answer.propensity > 0) & (answer.propensity <= 1)).all()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(finite, st.floats(0, 10)), min_size=15, max_size=25),
    some_rules,
    st.integers(0, 2**32),
)
def test_pins_hold_and_buried_items_stand_last_whatever_the_rules_and_the_chance(
    drawn: list[tuple[float, float]], rules: dict[str, Any], seed: int
) -> None:
    answer = slate([v for v, _ in drawn], rules, seed, exposure=[e for _, e in drawn])
    order = ids(answer)
    last = {pin["item_id"]: pin["position"] for pin in rules["pins"]}
    for item_id, position in last.items():
        assert order[position - 1] == item_id
    free = [item_id for item_id in order if item_id not in last]
    buried = [int(item_id[1:]) % 4 == 2 for item_id in free]
    if rules["buries"]:
        assert buried == sorted(buried)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(finite, min_size=3, max_size=30),
    st.integers(1, 3),
    st.integers(2, 6),
)
def test_no_window_near_the_top_holds_more_of_a_kind_unless_nothing_else_is_left(
    values: list[float], max_same: int, window: int
) -> None:
    rule = {"by": "category", "max_same": max_same, "window": window, "depth": 10}
    order = ids(slate(values, {**NO_CHANCE, "diversity": rule}))
    kinds = [int(item_id[1:]) % 3 for item_id in order]
    for end in range(1, min(10, len(kinds)) + 1):
        before = kinds[max(0, end - window) : end - 1]
        if before.count(kinds[end - 1]) >= max_same:
            others = set(kinds[end:])
            assert all(before.count(kind) >= max_same for kind in others)


def test_equal_scores_keep_the_asked_order() -> None:
    assert ids(slate([1.0, 2.0, 1.0, 2.0], FREE)) == ["i1", "i3", "i0", "i2"]


def test_the_limit_cuts_the_slate_and_its_propensities() -> None:
    answer = slate([1.0, 3.0, 2.0], FREE, limit=2)
    assert ids(answer) == ["i1", "i2"]
    assert answer.propensity.tolist() == [1.0, 1.0]


def test_a_slate_of_no_candidates_is_empty() -> None:
    assert ids(slate([], {})) == []


def test_a_boost_lifts_by_standard_deviations_and_says_so() -> None:
    boost = {"match": {"item_id": "i0"}, "lift": 2.0, "reason": "new season"}
    answer = slate([0.0, 1.0, 2.0], {**FREE, "boosts": [boost]})
    assert ids(answer) == ["i2", "i0", "i1"]  # the deviation is 0.816
    assert answer.notes == {0: ["boost +2: new season"]}


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "lifted"),
    [
        (NOW_S - 1, NOW_S + 1, True),
        (NOW_S, None, True),
        (NOW_S + 1, None, False),
        (None, NOW_S, False),
        (None, None, True),
    ],
)
def test_a_rule_holds_from_its_start_to_just_before_its_end(
    starts_at: float | None, ends_at: float | None, lifted: bool
) -> None:
    times = {
        name: datetime.fromtimestamp(at_s, UTC)
        for name, at_s in (("starts_at", starts_at), ("ends_at", ends_at))
        if at_s is not None
    }
    boost = {"match": {"item_id": "i0"}, "lift": 9.0, "reason": "sale", **times}
    assert (ids(slate([0.0, 1.0], {**FREE, "boosts": [boost]}))[0] == "i0") is lifted


def test_a_rule_for_a_query_holds_only_for_queries_with_its_words() -> None:
    pin = {"item_id": "i0", "position": 1, "query_contains": "oat milk", "reason": "ours"}
    rules = {**FREE, "pins": [pin]}
    assert ids(slate([0.0, 1.0], rules, query="Milk, oat"))[0] == "i0"
    assert ids(slate([0.0, 1.0], rules, query="milk"))[0] == "i1"
    assert ids(slate([0.0, 1.0], rules))[0] == "i1"


def test_a_category_of_a_rule_may_be_written_as_the_shop_writes_it() -> None:
    boost = {"match": {"category": "Top>C0"}, "lift": 9.0, "reason": "sale"}
    assert ids(slate([0.0, 1.0, 2.0], {**FREE, "boosts": [boost]}))[0] == "i0"


def test_a_buried_item_is_neither_spread_nor_explored_upwards() -> None:
    # i1 and i2 are the only items that could break up the crowd, and were never seen.
    bury = {"match": {"category": "Top > C1"}, "reason": "recall"}
    rules = {
        "buries": [bury],
        "diversity": {"max_same": 1, "window": 2},
        "exploration": {"share": 0.5, "position": 1},
    }
    exposure = [np.inf, 0.0, np.inf, np.inf, 0.0]
    for seed in range(20):
        order = ids(slate([5.0, 4.0, 3.0, 2.0, 1.0], rules, seed, exposure=exposure))
        assert order[-2:] == ["i1", "i4"]


def test_a_pin_that_names_the_query_stands_before_one_that_does_not() -> None:
    pins = [
        {"item_id": "i0", "position": 1, "query_contains": "milk", "reason": "own brand"},
        {"item_id": "i1", "position": 1, "reason": "always"},
    ]
    assert ids(slate([0.0, 0.0, 9.0], {**FREE, "pins": pins}, query="milk")) == ["i0", "i1", "i2"]


def test_a_pin_beyond_the_end_stands_last() -> None:
    pins = [{"item_id": "i0", "position": 50, "reason": "last"}]
    assert ids(slate([9.0, 1.0, 2.0], {**FREE, "pins": pins})) == ["i2", "i1", "i0"]


EXPLORING = {
    "diversity": {"depth": 0},
    "exploration": {"share": 0.4, "position": 3, "max_exposure": 5},
    "pins": [
        {"item_id": "i5", "position": 2, "reason": "ours"},
        {"item_id": "i6", "position": 6, "reason": "ours"},
    ],
}
SEEN = [9.0, 9.0, 0.0, 9.0, 1.0, 0.0, 0.0, 2.0, 9.0]
FALLING = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]


def test_one_item_moves_up_in_its_share_of_the_rankings() -> None:
    """How true the propensities are, test_propensities.py counts."""
    policy = SlatePolicy(np.random.default_rng(1))
    columns = features(len(FALLING), exposure=np.array(SEEN, np.float32))
    slates = [ordered(policy, EXPLORING, columns, FALLING) for _ in range(2_000)]
    moved = [answer for answer in slates if answer.order[2] != 1]
    assert len(moved) / len(slates) == pytest.approx(0.4, abs=0.05)
    # Given what moved, the rest is certain; of the three that may, each has a third of the share.
    assert moved[0].propensity == pytest.approx([1, 1, 0.4 / 3, *[1] * 6])
    usual = next(answer for answer in slates if answer.order[2] == 1)
    assert usual.propensity == pytest.approx([1, 1, 0.6, *[1] * 6])


def test_exploration_tells_which_item_it_moved() -> None:
    moved = {
        index
        for seed in range(40)
        for index, notes in slate(FALLING, EXPLORING, seed, exposure=SEEN).notes.items()
        if "explore: hardly seen so far" in notes
    }
    # The pinned ones take no part, and the others are seen enough.
    assert moved == {2, 4, 7}


def test_a_pinned_item_crowds_what_stands_beside_it() -> None:
    # i0 and i3 are of one category: behind the pin, one of another kind comes between.
    pins = [{"item_id": "i0", "position": 1, "reason": "ours"}]
    rule = {"max_same": 1, "window": 2, "depth": 4}
    answer = slate([0.0, 1.0, 2.0, 3.0], {**NO_CHANCE, "pins": pins, "diversity": rule})
    assert ids(answer) == ["i0", "i2", "i3", "i1"]


def test_what_was_drawn_before_better_ones_says_so() -> None:
    rules = {**FREE, "exploration": {"share": 0, "sampling": {"share": 1, "temperature": 10}}}
    answer = slate([3.0, 2.0, 1.0, 0.0], rules, seed=3)
    raised = {int(index) for place, index in enumerate(answer.order) if place < index}
    assert raised
    assert {i for i, notes in answer.notes.items() if "explore: drawn" in notes[-1]} == raised


def test_without_hardly_seen_items_nothing_is_left_to_chance() -> None:
    answer = slate([3.0, 2.0, 1.0], {"exploration": {"share": 0.5, "position": 1}})
    assert ids(answer) == ["i0", "i1", "i2"]
    assert answer.propensity.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ({"attributes": {"Colour": ["RED", "blue"]}}, {0, 1}),
        ({"attributes": {"colour": ["red"], "size": ["L"]}}, {0}),
        ({"attributes": {"colour": ["red"]}, "brand": "b"}, set()),
        ({"brand": "ａ"}, {0, 1, 2}),
        ({"category": "top"}, {0, 1, 2}),
    ],
)
def test_a_match_compares_names_as_filters_do(match: dict[str, Any], hit: set[int]) -> None:
    items = ItemTable(
        Item(f"i{n}", "Thing", category="Top > C", brand="A", attributes=attributes)
        for n, attributes in enumerate(({"colour": "Red", "size": "l"}, {"colour": "blue"}, {}))
    )
    rules = {**FREE, "boosts": [{"match": match, "lift": 1, "reason": "because"}]}
    columns = matrix(4, rows=np.array([0, 1, 2, -1]))
    made = SlatePolicy(np.random.default_rng(0)).order(
        items,
        Rules.model_validate(rules),
        context(),
        candidates("i0", "i1", "i2", "who"),
        columns,
        scores(0, 0, 0, 0).values,
    )
    assert set(made.notes) == hit
