"""Which cases of a data set train the ranker, tune the blend and test it: in order of time."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from features.aggregate import DAY_S
from features.catalog import ItemTable
from features.datasets.format import Dataset
from serving.model.cases import baskets, cuts, discovery_cases, next_basket_cases, position_at
from serving.model.rows import Case, Draw

Task = Literal["next_basket", "discovery", "impressions", "judged"]

TEST_DAYS, VALID_DAYS, TRAIN_DAYS = 28, 14, 84
DISCOVERY_HORIZON_S = 31 * DAY_S
TRAIN_DRAW = Draw(popular=16, uniform=8, own=16)
# Online Retail's fixed test cases start here (its README: train = before 2011-11-01).
DISCOVERY_TEST_S = {"online_retail": 1_320_105_600.0}


@dataclass(frozen=True, slots=True)
class Plan:
    """Cases in three consecutive periods; `refresh_s` is how old a neighbour table may get."""

    task: Task
    train: list[Case]
    valid: list[Case]
    test_from_s: float
    refresh_s: float
    late: list[Case] = field(default_factory=list)  # for the refit alone, see _discovery_plan
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
    task = task_of(dataset)
    if task == "discovery":
        return _discovery_plan(dataset, items)
    return _next_basket_plan(dataset, items, seed, n_train)


def _next_basket_plan(dataset: Dataset, items: ItemTable, seed: int, n_train: int) -> Plan:
    rng = np.random.default_rng(seed)
    found = baskets(dataset, items)
    end_s = float(dataset.events["at"].iloc[-1])
    test_s = end_s - TEST_DAYS * DAY_S
    valid_s = test_s - VALID_DAYS * DAY_S
    early = [b for b in found if valid_s - TRAIN_DAYS * DAY_S <= b.at_s < valid_s]
    late = [b for b in found if valid_s <= b.at_s < test_s]
    pick = rng.permutation(len(early))[:n_train].tolist()
    pick_late = rng.permutation(len(late))[: n_train // 5].tolist()
    return Plan(
        "next_basket",
        next_basket_cases([early[i] for i in sorted(pick)], TRAIN_DRAW, rng, begun_share=0.4),
        next_basket_cases([late[i] for i in sorted(pick_late)], TRAIN_DRAW, rng),
        test_s,
        28 * DAY_S,
    )


def _discovery_plan(dataset: Dataset, items: ItemTable) -> Plan:
    found = baskets(dataset, items)
    test_s = DISCOVERY_TEST_S[dataset.info.name]
    start_s = float(dataset.events["at"].iloc[0])
    draw = Draw(popular=25, uniform=25)

    def at(cut_s: float) -> list[Case]:
        position = position_at(dataset, cut_s)
        return discovery_cases(found, cut_s, DISCOVERY_HORIZON_S, position, draw, items)

    *earlier, last = cuts(start_s + 90 * DAY_S, test_s - DISCOVERY_HORIZON_S).tolist()
    # What lies between: its outcomes reach into the validation cases', so it only joins the refit.
    between = [cut_s for cut_s in earlier if cut_s + DISCOVERY_HORIZON_S > last]
    train = [case for cut_s in earlier if cut_s not in between for case in at(cut_s)]
    late = [case for cut_s in between for case in at(cut_s)]
    return Plan("discovery", train, at(last), test_s, 0.0, late)
