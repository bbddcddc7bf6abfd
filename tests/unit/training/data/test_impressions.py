"""Labels of a log of impressions are what the objective makes of it, by default as ever."""

import numpy as np
import pytest

from features.behavior.replay import item_table
from features.datasets.format import Dataset
from features.datasets.simulated.simulation import simulate
from features.objective import USUAL, Objective
from serving.training.data.impressions import Shown, shown_slates

BEFORE = {"click": 1.0, "add_to_cart": 3.0, "purchase": 5.0}  # when they were constants


@pytest.fixture(scope="module")
def log() -> Dataset:
    return simulate(seed=3, n_items=100, n_shoppers=60, n_sessions=600, days=10).dataset


def labels(log: Dataset, objective: Objective) -> list[Shown]:
    return shown_slates(log, item_table(log), objective)


def test_by_default_a_label_is_the_largest_of_the_weights_of_before(log: Dataset) -> None:
    best: dict[tuple[str, str], float] = {}
    told = log.events[["type", "ranking_id", "item_id"]].itertuples(index=False, name=None)
    for kind, ranking, item in told:
        best[ranking, item] = max(best.get((ranking, item), 0.0), BEFORE.get(kind, 0.0))
    item_ids, found = item_table(log).item_ids, labels(log, USUAL)
    for shown in found:
        items = [item_ids[row] for row in shown.case.rows.tolist()]
        expected = [best[shown.ranking_id, item] for item in items]
        np.testing.assert_array_equal(shown.case.labels, expected)
    seen = {label for shown in found for label in shown.case.labels.tolist()}
    assert seen == {0.0, *BEFORE.values()}


def test_another_objective_makes_other_labels(log: Dataset) -> None:
    purchases = Objective(click=0, add_to_cart=0, purchase=2)
    seen = {label for shown in labels(log, purchases) for label in shown.case.labels.tolist()}
    assert seen == {0.0, 2.0}
