"""Which cases of a data set train the ranker, tune the blend and test it: in order of time."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from features.catalog.counters import DAY_S
from features.catalog.table import ItemTable
from features.datasets.format import Dataset, DatasetError, require_events
from features.objective import USUAL, Objective
from serving.training.data.baskets import baskets, discoveries, discovery_cases, next_basket_cases
from serving.training.data.cases import Case, Draw
from serving.training.data.impressions import Shown, shown_slates

Task = Literal["next_basket", "discovery", "impressions", "judged"]

DAYS: dict[Task, tuple[int, int, int]] = {  # of training, of validation, of test
    "next_basket": (84, 14, 28),
    "discovery": (200, 21, 0),
}
# Shares of the log's time at which training, validation and test begin; before, features fill up.
IMPRESSION_SHARES = (0.2, 0.72, 0.8)
N_TEST_SLATES = 2_000
# A slate's unwanted candidates are all drawn in one way, as one retrieval would bring them. The
# ranker sees from slate_popularity which way it was.
NEXT_BASKET_DRAWS = (
    Draw(popular=40),
    Draw(uniform=40),
    Draw(uniform=120),
    # Few items that the shopper owns. If they were drawn more often than they occur, the ranker
    # would learn that having been bought before speaks against an item (docs/quality.md).
    Draw(popular=14, uniform=14, own=12),
)
BEGUN_SHARE = 0.4  # of the training baskets have a part of their items in the cart
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
    # For the task "impressions": the rankings that the cases were made of.
    train_shown: list[Shown] = field(default_factory=list)
    test_shown: list[Shown] = field(default_factory=list)


def task_of(dataset: Dataset) -> Task:
    """What a data set can teach, by the kinds of its events."""
    if dataset.queries is not None and dataset.events.empty:
        return "judged"
    if (dataset.events["type"] == "impression").any():
        return "impressions"
    return "discovery" if dataset.info.name in DISCOVERY_TEST_S else "next_basket"


def make_plan(
    dataset: Dataset, items: ItemTable, seed: int, n_train: int, objective: Objective = USUAL
) -> Plan:
    """Training and validation cases of a log; its test period is left out.

    objective: what the labels of impressions are worth; a log of purchases has one kind of label.

    Raises DatasetError for a catalogue without events, and for judged queries without them: these
    have no time to be split by and are measured by cross-validation (`make evaluate`).
    """
    task = task_of(dataset)
    if task == "judged":
        raise DatasetError(
            f"{dataset.info.name}: judged queries without events cannot train a bundle; "
            "measure on them with `make evaluate`"
        )
    require_events(dataset, "a ranker is trained and measured on purchases or impressions")
    if task == "impressions":
        return _impression_plan(dataset, items, seed, n_train, objective)
    return _purchase_plan(dataset, items, task, seed, n_train)


def _impression_plan(
    dataset: Dataset, items: ItemTable, seed: int, n_train: int, objective: Objective
) -> Plan:
    rng = np.random.default_rng(seed)
    times = dataset.events["at"]
    start_s, span_s = float(times.iloc[0]), float(times.iloc[-1] - times.iloc[0])
    edges = [start_s + share * span_s for share in IMPRESSION_SHARES]
    shown = shown_slates(dataset, items, objective)

    def period(first_s: float, end_s: float, n_slates: int) -> list[Shown]:
        within = [ranking for ranking in shown if first_s <= ranking.case.at_s < end_s]
        chosen = np.sort(rng.permutation(len(within))[:n_slates])
        return [within[index] for index in chosen.tolist()]

    train = period(edges[0], edges[1], n_train)
    valid = period(edges[1], edges[2], n_train // 8)
    test = period(edges[2], np.inf, N_TEST_SLATES)
    return Plan(
        "impressions",
        [ranking.case for ranking in train],
        [ranking.case for ranking in valid],
        edges[2],
        7 * DAY_S,
        objective.label_weights,
        [*train, *valid],
        test,
    )


def _purchase_plan(dataset: Dataset, items: ItemTable, task: Task, seed: int, n_train: int) -> Plan:
    rng = np.random.default_rng(seed)
    train_days, valid_days, test_days = DAYS[task]
    end_s = float(dataset.events["at"].iloc[-1]) - test_days * DAY_S
    test_s = DISCOVERY_TEST_S.get(dataset.info.name, end_s)
    valid_s = test_s - valid_days * DAY_S
    visits = discoveries(baskets(dataset, items)) if task == "discovery" else [
        (basket, basket.rows[:0]) for basket in baskets(dataset, items)
    ]  # fmt: skip
    early = [b for b in visits if valid_s - train_days * DAY_S <= b[0].at_s < valid_s]
    late = [b for b in visits if valid_s <= b[0].at_s < test_s]
    periods = []
    for period, n_cases, begun in ((early, n_train, BEGUN_SHARE), (late, n_train // 5, 0.0)):
        chosen = [period[i] for i in np.sort(rng.permutation(len(period))[:n_cases]).tolist()]
        if task == "discovery":
            periods.append(discovery_cases(chosen, DISCOVERY_DRAWS, items, rng))
        else:
            only = [basket for basket, _ in chosen]
            periods.append(next_basket_cases(only, NEXT_BASKET_DRAWS, rng, begun))
    train, valid = periods
    if not train:
        raise DatasetError(
            f"{dataset.folder}: no purchases of known shoppers that a ranker could be trained on "
            f"lie in the {train_days + valid_days + test_days} days before the last event"
        )
    return Plan(task, train, valid, test_s)
