"""The guarantee: whatever a shopper prefers, it reorders within relevance."""

from dataclasses import replace
from typing import Any

import numpy as np

from features.catalog.item import Item
from features.catalog.table import ItemTable
from serving.ranking.slate.bounds import Bounds
from serving.ranking.slate.policy import SlatePolicy
from serving.search.relevance import COLUMNS, Matches
from serving.shops.rules import Rules
from tests.support.fakes import candidates, context, matrix

ITEMS = ItemTable(
    Item(f"i{n}", f"Item {n}", category=f"Top > C{n % 2}", brand=f"B{n % 3}") for n in range(30)
)
RULES = Rules.model_validate(
    {
        "boosts": [{"match": {"brand": "B1"}, "lift": 10, "reason": "house brand"}],
        "diversity": {"max_same": 1, "window": 3, "depth": 20},
        "exploration": {
            "share": 0.5,
            "position": 2,
            "max_exposure": 1000,
            "sampling": {"share": 0.5, "temperature": 10, "places": 10, "among": 12},
        },
    }
)


def order(
    relevance: list[float],
    preference: list[float],
    reach: float,
    rules: Rules | dict[str, Any],
    seed: int,
) -> list[int]:
    n = len(relevance)
    rows = np.arange(n)
    offered = replace(
        candidates(*(f"i{i}" for i in range(n))),
        rows=rows,
        matches=Matches(np.array(relevance, np.float32), np.zeros((n, len(COLUMNS)), np.float32)),
    )
    columns = matrix(
        n,
        rows=rows,
        category=ITEMS.category[rows],
        brand=ITEMS.brand[rows],
        exposure=np.zeros(n, np.float32),
    )
    policy = SlatePolicy(np.random.default_rng(seed))
    made = policy.order(
        ITEMS,
        rules if isinstance(rules, Rules) else Rules.model_validate(rules),
        context(query="anything"),
        offered,
        columns,
        np.array(preference, np.float32),
        reach,
    )
    return [int(index) for index in made.order]


def test_nothing_stands_before_what_is_more_relevant_by_more_than_the_reach() -> None:
    """Over 10,000 slates of any relevance, preference, reach and chance."""
    rng = np.random.default_rng(5)
    for seed in range(10_000):
        n = int(rng.integers(1, 13))
        relevance = rng.random(n).round(int(rng.integers(1, 4)))
        preference = rng.standard_normal(n) * 10.0 ** rng.integers(-3, 6)
        reach = float(rng.choice([0.0, 0.1, 0.2, 0.5]))
        places = order(relevance.tolist(), preference.tolist(), reach, RULES, seed)
        assert sorted(places) == list(range(n))
        passed = np.minimum.accumulate(relevance[places])
        assert (relevance[places] <= passed + reach + 1e-5).all(), seed


def test_among_equals_the_shopper_decides() -> None:
    rules = {"diversity": {"depth": 0}, "exploration": {"share": 0}}
    assert order([0.9, 0.95, 0.92], [3.0, 1.0, 2.0], 0.2, rules, 0) == [0, 2, 1]


def test_a_favourite_stays_behind_what_was_asked_for() -> None:
    rules = {"diversity": {"depth": 0}, "exploration": {"share": 0}}
    assert order([0.3, 0.95], [1e6, -1e6], 0.2, rules, 0) == [1, 0]


def test_a_pin_is_above_the_guarantee() -> None:
    rules = {
        "pins": [{"item_id": "i0", "position": 1, "reason": "paid"}],
        "exploration": {"share": 0},
    }
    assert order([0.0, 0.95], [0.0, 0.0], 0.2, rules, 0) == [0, 1]


def test_without_a_query_preference_alone_decides() -> None:
    bounds = Bounds(None, 0.2)
    preference = np.array([3.0, 1.0, 2.0], np.float32)
    assert bounds.bounded(preference) is preference
    assert bounds.may_lead(np.arange(3)).all()


def test_bounded_scores_lie_in_0_to_1() -> None:
    bounds = Bounds(np.array([0.0, 1.0], np.float32), 0.5)
    values = bounds.bounded(np.array([-1e9, 1e9], np.float32))
    assert 0 <= values[0] < values[1] <= 1
