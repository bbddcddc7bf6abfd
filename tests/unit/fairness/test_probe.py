"""A probe finds what vectors give away, and nothing where there is nothing."""

import numpy as np
import pandas as pd
import pytest

from features.behavior.fold import fold
from features.behavior.state import USER_BOUNDS, BehaviorState
from features.catalog.item import Item
from features.catalog.table import ItemTable
from features.datasets.columns import conform
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.format import Dataset, DatasetInfo
from features.events.event import BehaviorEvent, EventType
from loadtests.fairness.probe import auc, probed
from loadtests.fairness.vectors import LEAST, final_states, household_text, tastes

N = 300


def vectors(tilt: float) -> tuple[np.ndarray, np.ndarray]:
    """Of households in three groups, two of which differ by `tilt` spreads in two columns."""
    rng = np.random.default_rng(3)
    labels = rng.integers(-1, 3, N)
    values = rng.normal(size=(N, 8))
    values[labels == 0, 0] += tilt
    values[labels == 1, 1] -= tilt
    return labels.astype(np.int64), values


def test_groups_that_differ_are_predicted_and_the_interval_says_so() -> None:
    labels, values = vectors(1.5)
    (found,) = probed("kind", labels, {"vectors": values}, permuted=9)
    assert found.households == int((labels >= 0).sum())
    assert found.groups == 3
    assert found.gives_away
    assert found.auc.low > 0.65
    assert found.accuracy.low > found.majority
    assert found.chance == pytest.approx(0.1)  # none of nine was as good


def test_groups_that_do_not_differ_are_predicted_no_better_than_labels_dealt_out_anew() -> None:
    labels, values = vectors(0.0)
    (found,) = probed("kind", labels, {"vectors": values}, permuted=19)
    assert found.auc.low < 0.5 < found.auc.high
    assert found.chance > 0.05
    assert found.accuracy.value < found.majority + 0.05


def test_the_curve_is_one_for_a_perfect_order_and_a_half_for_chance() -> None:
    labels, fold = np.array([0, 0, 1, 1]), np.zeros(4, np.int64)
    assert auc(np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]]), labels, fold) == 1.0
    assert auc(np.full((4, 2), 0.5), labels, fold) == 0.5


def test_the_curve_is_taken_within_folds_whose_priors_differ() -> None:
    """By priors alone, which are low where a fold has many of a group."""
    labels, fold = np.array([0, 0, 0, 1, 0, 1, 1, 1]), np.repeat([0, 1], 4)
    chances = np.where(fold == 0, 0.4, 0.6)
    assert auc(np.stack([chances, 1 - chances], axis=1), labels, fold) == 0.5


def bought(*item_ids: str) -> BehaviorState:
    state = BehaviorState()
    facts = {item_id: Item(item_id, item_id, category=item_id, brand="b").facts(1.0)
             for item_id in item_ids}  # fmt: skip
    for place, item_id in enumerate(item_ids):
        event = BehaviorEvent(f"e{place}", EventType.PURCHASE, 1_000.0 + place, item_id=item_id)
        fold(state, event, facts[item_id], USER_BOUNDS)
    return state


def test_a_taste_that_few_households_have_is_no_column() -> None:
    states = [bought("bread", "milk") for _ in range(LEAST)] + [bought("truffles")]
    found = tastes(states)
    assert found.shape == (LEAST + 1, 3)  # bread, milk and the brand
    assert (found[:-1, :2] > 0).all()
    assert (found[-1, :2] == 0).all()
    assert (found[:, 2] == 1.0).all()


def test_text_is_what_the_history_reads_like() -> None:
    table = ItemTable([Item("bread", "bread"), Item("milk", "milk")])
    of_items = np.eye(2, 4, dtype=np.float32)
    found = household_text(bought("milk"), table, of_items)
    assert found.tolist() == pytest.approx([0, 1, 0, 0, 0, 1, 0, 0], abs=1e-6)


def test_states_are_those_after_the_last_event_of_households_that_bought() -> None:
    rows = [("ann", "purchase", "bread"), ("bob", "view", "milk"), ("ann", "purchase", "milk")]
    events = pd.DataFrame(rows, columns=["user_id", "type", "item_id"])
    events = events.assign(at=[1.0, 2.0, 3.0], event_id=["a", "b", "c"])
    data = Dataset(DatasetInfo(name="shop"), pd.DataFrame(), conform(events, EVENT_COLUMNS))
    found = final_states(data, ItemTable([Item("bread", "bread"), Item("milk", "milk")]))
    assert {name: sorted(state.bought) for name, state in found.items()} == {
        "ann": ["bread", "milk"]
    }
