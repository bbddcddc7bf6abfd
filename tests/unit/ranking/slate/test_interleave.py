"""Two orders as one slate: every item has a team, and no team has an advantage."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.arrays import FloatArray
from features.catalog.item import Item
from features.catalog.table import ItemTable
from serving.ranking.slate.interleave import Drafted, team_draft
from serving.ranking.slate.policy import Ordered, Rival, SlatePolicy
from serving.search.relevance import COLUMNS, Matches
from serving.shops.rules import Rules
from tests.support.fakes import candidates, context, matrix

ITEMS = ItemTable(
    Item(f"i{n}", f"Item {n}", category=f"Top > C{n % 3}", brand=f"B{n % 4}") for n in range(12)
)


def drafted(first: list[int], second: list[int], seed: int) -> Drafted:
    return team_draft(np.array(first), np.array(second), np.random.default_rng(seed))


@given(st.permutations(range(9)), st.permutations(range(9)), st.integers(0, 2**32))
def test_each_round_of_two_places_is_one_pick_of_each_team(
    first: list[int], second: list[int], seed: int
) -> None:
    made = drafted(first, second, seed)
    assert sorted(made.order.tolist()) == list(range(9))
    for start in range(0, 8, 2):
        assert sorted(made.team[start : start + 2].tolist()) == [0, 1]
    for place, (index, team) in enumerate(zip(made.order, made.team, strict=True)):
        taken = set(made.order[:place].tolist())
        own = (first, second)[team]
        assert index == next(item for item in own if item not in taken)


def test_two_equal_orders_stay_what_they_are_and_share_the_picks() -> None:
    made = [drafted([2, 0, 1, 3], [2, 0, 1, 3], seed) for seed in range(400)]
    assert all(each.order.tolist() == [2, 0, 1, 3] for each in made)
    assert all((each.propensity == 1).all() for each in made)
    assert np.mean([each.team[0] for each in made]) == pytest.approx(0.5, abs=0.1)


def test_orders_of_different_items_are_refused() -> None:
    with pytest.raises(ValueError, match="same items"):
        drafted([0, 1], [0, 2], 0)


def test_nothing_is_drafted_of_nothing() -> None:
    made = team_draft(np.zeros(0, np.int64), np.zeros(0, np.int64), np.random.default_rng(0))
    assert len(made.order) == len(made.team) == len(made.propensity) == 0


def test_clicks_that_ignore_the_order_favour_no_team() -> None:
    """Every place clicked as often: the teams' credits differ by chance only."""
    rng = np.random.default_rng(3)
    lead = []
    for _ in range(4_000):
        made = team_draft(np.arange(9), rng.permutation(9), rng)
        credit = (rng.random(9) < 1 / np.arange(1, 10) ** 0.7) * (1 - 2 * made.team)
        lead.append(float(credit.sum()))
    assert abs(np.mean(lead)) < 3 * np.std(lead) / len(lead) ** 0.5


def interleaved(
    seed: int, rules: dict[str, Any], their_rules: dict[str, Any] | None = None,
    their_scores: FloatArray | None = None, relevance: FloatArray | None = None,
) -> Ordered:  # fmt: skip
    n = 12
    columns = matrix(
        n, rows=np.arange(n), category=ITEMS.category, brand=ITEMS.brand, exposure=np.zeros(n)
    )
    parsed = Rules.model_validate({"diversity": {"depth": 0}, **rules})
    scores = np.linspace(3, 0, n, dtype=np.float32)
    theirs = parsed if their_rules is None else parsed.changed(their_rules)
    offered = candidates(*ITEMS.item_ids)
    if relevance is not None:
        matches = Matches(relevance, np.zeros((n, len(COLUMNS)), np.float32))
        offered = replace(offered, matches=matches)
    return SlatePolicy(np.random.default_rng(seed)).order(
        ITEMS,
        parsed,
        context(limit=10, query=None if relevance is None else "item"),
        offered,
        columns,
        scores,
        0.1,
        rival=Rival(scores[::-1].copy() if their_scores is None else their_scores, theirs),
    )


def test_pins_buries_and_diversity_hold_in_an_interleaved_slate_and_are_no_teams() -> None:
    rules = {
        "pins": [{"item_id": "i5", "position": 2, "reason": "ours"}],
        "buries": [{"match": {"brand": "B2"}, "reason": "recall"}],
        "diversity": {"max_same": 1, "window": 2, "depth": 5},
    }
    for seed in range(50):
        made = interleaved(seed, rules)
        assert made.teams is not None
        order = made.order.tolist()
        assert order[1] == 5
        assert made.teams[1] == -1
        assert all(index % 4 == 2 for index in order[9:])
        assert made.teams[9:].tolist() == [-1] * len(order[9:])
        assert (made.teams[[0, *range(2, 9)]] >= 0).all()
        assert all(a % 3 != b % 3 for a, b in pairwise(order[1:5]))


def test_an_interleaved_slate_is_not_explored_as_well() -> None:
    rules = {"exploration": {"share": 0.5, "position": 1, "sampling": {"share": 1}}}
    notes = [interleaved(seed, rules).notes for seed in range(20)]
    assert all(not each for each in notes)


def test_one_order_alone_has_no_teams() -> None:
    columns = matrix(2)
    made = SlatePolicy(np.random.default_rng(0)).order(
        ITEMS, Rules(), context(), candidates("i0", "i1"), columns, np.zeros(2, np.float32)
    )
    assert made.teams is None


def test_where_both_order_alike_no_pick_is_anyones_and_nothing_is_left_to_chance() -> None:
    made = interleaved(0, {}, their_scores=np.linspace(9, 0, 12, dtype=np.float32))
    assert made.teams is None
    assert made.order.tolist() == list(range(10))
    assert (made.propensity == 1).all()


def test_a_rival_that_has_no_preference_keeps_the_order_that_was_given_and_not_the_first_arms() -> (
    None
):
    """Else a ranker that knows nothing would borrow what the other knows."""
    indifferent = np.zeros(12, np.float32)
    first = np.arange(12, dtype=np.float32)  # the last candidate is the best
    columns = matrix(12, rows=np.arange(12), exposure=np.zeros(12))
    rules = Rules.model_validate({"diversity": {"depth": 0}})
    for seed in range(10):
        made = SlatePolicy(np.random.default_rng(seed)).order(
            ITEMS, rules, context(), candidates(*ITEMS.item_ids), columns, first,
            rival=Rival(indifferent, rules),
        )  # fmt: skip
        assert made.teams is not None
        assert made.order[made.teams == 1].tolist() == list(range(6))


def test_each_arm_has_its_own_boosts_and_its_picks_carry_their_notes_and_values() -> None:
    def boosting(item: str) -> dict[str, Any]:
        return {"boosts": [{"match": {"item_id": item}, "lift": 9, "reason": f"for {item}"}]}

    for seed in range(10):
        made = interleaved(seed, boosting("i5"), boosting("i6"))
        assert made.teams is not None
        whose = dict(zip(made.order.tolist(), made.teams.tolist(), strict=True))
        assert {*made.order[:2].tolist()} == {5, 6}
        assert (whose[5], whose[6]) == (0, 1)
        assert (made.notes[5], made.notes[6]) == (["boost +9: for i5"], ["boost +9: for i6"])
        scores = np.linspace(3, 0, 12, dtype=np.float32)
        for index, team in whose.items():
            assert made.values[index] == (scores, scores[::-1])[team][index]


def test_no_arm_puts_an_item_before_one_that_is_more_relevant_by_more_than_the_reach() -> None:
    relevance = np.repeat([0.9, 0.6, 0.3], 4).astype(np.float32)
    for seed in range(30):
        made = interleaved(seed, {}, relevance=relevance)
        assert made.teams is not None
        told = relevance[made.order]
        assert (np.diff(told) <= 0.1).all()
        assert {0, 1} == set(made.teams.tolist())
