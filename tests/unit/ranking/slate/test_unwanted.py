"""A slate steps back from what its shopper has hidden, or was shown in vain."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.behavior.matrix import Shopper
from features.behavior.state import BehaviorState
from features.catalog.counters import HOUR_S
from features.catalog.table import ItemTable
from serving.ranking.slate.policy import Ordered, SlatePolicy
from serving.shops.rules import Rules
from tests.support.fakes import NOW_S, candidates, context, matrix

FREE = {"exploration": {"share": 0.0}, "diversity": {"depth": 0}}
TIRED = {**FREE, "fatigue": {"after": 3, "half_life_h": 24, "strength": 2}}
SCORES = np.arange(10, 0, -1).astype(np.float32)


def shown(times: Mapping[str, float], ago_h: float = 0.0) -> BehaviorState:
    return BehaviorState(shown={item: (NOW_S - ago_h * HOUR_S, n) for item, n in times.items()})


def hid(*item_ids: str) -> BehaviorState:
    return BehaviorState(hidden=dict.fromkeys(item_ids, (NOW_S, 1.0)))


def made(
    rules: dict[str, Any],
    user: BehaviorState,
    seed: int = 0,
    exposure: float = np.inf,
    **asked: Any,
) -> Ordered:
    policy = SlatePolicy(np.random.default_rng(seed))
    names = [f"i{n}" for n in range(len(SCORES))]
    columns = matrix(len(names), exposure=np.full(len(names), exposure, np.float32))
    return policy.order(
        ItemTable(), Rules.model_validate(rules), context(**asked), candidates(*names), columns,
        SCORES, shopper=Shopper(user),
    )  # fmt: skip


def order(rules: dict[str, Any], user: BehaviorState, **asked: Any) -> list[int]:
    return [int(index) for index in made(rules, user, **asked).order]


def test_what_was_shown_in_vain_steps_back_and_says_so() -> None:
    answer = made(TIRED, shown({"i0": 6.2, "i1": 2.0}), explain=True)
    assert answer.order.tolist() == [1, 2, 3, 4, 5, 0, 6, 7, 8, 9]
    assert answer.notes == {0: ["fatigue -2: shown 6 times, not clicked"]}


def test_how_far_is_in_proportion_and_bounded() -> None:
    """From 10 by nothing, by one spread of 2.87, and by two at most: it falls to 7.1 and to 4.3."""
    places = [order(TIRED, shown({"i0": n})).index(0) for n in (3.0, 4.5, 6.0, 600.0)]
    assert places == [0, 2, 5, 5]


def test_it_recovers_when_it_is_not_shown() -> None:
    places = [order(TIRED, shown({"i0": 6.0}, ago_h)).index(0) for ago_h in (0, 12, 24)]
    assert places == [5, 2, 0]


def test_nothing_steps_back_where_something_was_asked_or_the_rule_is_off() -> None:
    user = shown({"i0": 60.0})
    assert order(TIRED, user, query="tea") == list(range(10))
    assert order(FREE, user) == list(range(10))
    assert Rules().fatigue.strength == 0


def test_a_pin_holds_whatever_was_shown_in_vain() -> None:
    pin = {"item_id": "i0", "position": 1, "reason": "ours"}
    assert order({**TIRED, "pins": [pin]}, shown({"i0": 60.0}))[0] == 0


def test_what_is_hidden_stands_last_and_no_pin_or_boost_lifts_it() -> None:
    rules = {
        **FREE,
        "pins": [{"item_id": "i0", "position": 1, "reason": "ours"}],
        "boosts": [{"match": {"item_id": "i0"}, "lift": 10, "reason": "ours"}],
    }
    assert order(rules, hid("i0", "i3")) == [1, 2, 4, 5, 6, 7, 8, 9, 0, 3]
    assert order(rules, hid()) == list(range(10))


def test_what_is_hidden_is_never_explored() -> None:
    rules = {**FREE, "exploration": {"share": 0.5, "position": 1, "max_exposure": 5}}
    hidden = [f"i{n}" for n in range(1, 10)]
    for seed in range(20):
        answer = made(rules, hid(*hidden), seed, exposure=0.0)
        assert answer.order[0] == 0
        assert answer.propensity.tolist() == [1.0] * 10


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.sampled_from([f"i{n}" for n in range(10)]), st.floats(0, 20), min_size=3))
def test_propensities_are_those_of_the_policy_with_fatigue(times: dict[str, float]) -> None:
    rules = {**TIRED, "exploration": {"share": 0.5, "position": 2, "max_exposure": 5}}
    answers = [made(rules, shown(times), seed, exposure=0.0) for seed in range(400)]
    seen = np.mean([answer.order[1] == answers[0].order[1] for answer in answers])
    assert seen == pytest.approx(answers[0].propensity[1], abs=0.12)
