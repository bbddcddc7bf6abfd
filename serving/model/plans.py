"""Which cases of a data set train the ranker, tune the blend and test it: in order of time."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from features.aggregate import DAY_S
from features.catalog import ItemTable
from features.datasets.format import Dataset
from serving.model.cases import baskets, discoveries, discovery_cases, next_basket_cases
from serving.model.rows import Case, Draw

Task = Literal["next_basket", "discovery", "impressions", "judged"]

DAYS: dict[Task, tuple[int, int, int]] = {  # of training, of validation, of test
    "next_basket": (84, 14, 28),
    "discovery": (200, 21, 0),
}
# A slate's unwanted candidates all come from one kind of shelf, as one retrieval would bring them:
# which one it is, the ranker sees from slate_popularity.
NEXT_BASKET_DRAWS = (
    Draw(popular=30, own=10),
    Draw(uniform=30, own=10),
    Draw(popular=12, uniform=12, own=16),
)
BEGUN_SHARE = 0.4  # of training baskets are already part filled
DISCOVERY_DRAWS = (Draw(popular=40), Draw(uniform=40))
# Online Retail's fixed test cases start here (its README: train = before 2011-11-01).
DISCOVERY_TEST_S = {"online_retail": 1_320_105_600.0}


@dataclass(frozen=True, slots=True)
class Plan:
    """Cases in three consecutive periods; `refresh_s` is how old a neighbour table may get."""

    task: Task
    train: list[Case]
    valid: list[Case]
    test_from_s: float
    refresh_s: float = 28 * DAY_S
    label_weights: dict[str, float] = field(default_factory=lambda: {"purchase": 1.0})


def task_of(dataset: Dataset) -> Task:
    """What a data set can teach: judged queries, seen slates, or baskets."""
    if dataset.queries is not None and dataset.events.empty:
        return "judged"
    if (dataset.events["type"] == "impression").any():
        return "impressions"
    return "discovery" if dataset.info.name in DISCOVERY_TEST_S else "next_basket"


def make_plan(dataset: Dataset, items: ItemTable, seed: int, n_train: int) -> Plan:
    """Train and validation cases of a log; its test period is left alone."""
    return _purchase_plan(dataset, items, task_of(dataset), seed, n_train)


def _purchase_plan(dataset: Dataset, items: ItemTable, task: Task, seed: int, n_train: int) -> Plan:
    rng = np.random.default_rng(seed)
    train_days, valid_days, test_days = DAYS[task]
    end_s = float(dataset.events["at"].iloc[-1]) - test_days * DAY_S
    test_s = DISCOVERY_TEST_S.get(dataset.info.name, end_s)
    valid_s = test_s - valid_days * DAY_S
    found = discoveries(baskets(dataset, items)) if task == "discovery" else [
        (basket, basket.rows[:0]) for basket in baskets(dataset, items)
    ]  # fmt: skip
    early = [b for b in found if valid_s - train_days * DAY_S <= b[0].at_s < valid_s]
    late = [b for b in found if valid_s <= b[0].at_s < test_s]
    periods = []
    for period, n_cases, begun in ((early, n_train, BEGUN_SHARE), (late, n_train // 5, 0.0)):
        chosen = [period[i] for i in np.sort(rng.permutation(len(period))[:n_cases]).tolist()]
        if task == "discovery":
            periods.append(discovery_cases(chosen, DISCOVERY_DRAWS, items, rng))
        else:
            only = [basket for basket, _ in chosen]
            periods.append(next_basket_cases(only, NEXT_BASKET_DRAWS, rng, begun))
    train, valid = periods
    return Plan(task, train, valid, test_s)
