"""The test cases of each data set, which all rankers score."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.arrays import FloatArray
from features.catalog.table import ItemTable
from features.datasets.format import Dataset
from serving.training.data.baskets import baskets, next_basket_cases, position_at
from serving.training.data.cases import Case, Draw
from serving.training.data.plans import Plan
from serving.training.data.slates import Slates

FIXED_CASES = "online_retail_eval_cases.parquet"
NEGATIVES = 99


@dataclass(frozen=True, slots=True)
class TestSet:
    """Cases of one kind. `cold_shopper`, `cold_item`: bool (n,), groups that are reported."""

    name: str
    cases: list[Case]
    cold_shopper: npt.NDArray[np.bool_] | None = None
    cold_item: npt.NDArray[np.bool_] | None = None
    # The true relevance of each case's rows, known for simulated data only.
    truth: list[FloatArray] | None = None


def slates_of_sets(
    sets: Sequence[TestSet], slates: Slates, start: int
) -> Iterator[tuple[TestSet, Slates]]:
    """Each test set with its slates; those of all sets stand in `slates` from `start` on."""
    for test_set in sets:
        end = start + len(test_set.cases)
        yield test_set, slates.take(np.arange(start, end))
        start = end


def purchase_test_sets(
    dataset: Dataset, items: ItemTable, plan: Plan, seed: int, n_cases: int, n_catalogue: int
) -> list[TestSet]:
    """Next baskets of the test period: against popular, uniform and all other items."""
    rng = np.random.default_rng(seed + 1)
    late = [basket for basket in baskets(dataset, items) if basket.at_s >= plan.test_from_s]
    chosen = [late[i] for i in np.sort(rng.permutation(len(late))[:n_cases]).tolist()]
    cases = next_basket_cases(chosen, [Draw()], rng, 0.0)
    return [
        TestSet("popular 99", [replace(case, draw=Draw(popular=NEGATIVES)) for case in cases]),
        TestSet("uniform 99", [replace(case, draw=Draw(uniform=NEGATIVES)) for case in cases]),
        TestSet("catalogue", [replace(c, draw=Draw(catalogue=True)) for c in cases[:n_catalogue]]),
    ]


def fixed_test_sets(folder: Path, dataset: Dataset, items: ItemTable, plan: Plan) -> list[TestSet]:
    """Online Retail's fixed cases, with features at the case's time and frozen at the cut."""
    table = pd.read_parquet(folder / FIXED_CASES)
    times = [float(moment.timestamp()) for moment in table["ts"]]
    frozen = [plan.test_from_s] * len(table)
    cold_shopper, cold_item = table["cold_user"].to_numpy(bool), table["cold_item"].to_numpy(bool)
    out = []
    for moment, at_s in (("live", times), ("frozen", frozen)):
        for name, negatives in (("popular 99", "neg_pop99"), ("uniform 99", "neg_uniform99")):
            cases = _fixed_cases(table, negatives, at_s, dataset, items)
            out.append(TestSet(f"{name}, {moment}", cases, cold_shopper, cold_item))
    return out


def _fixed_cases(
    table: pd.DataFrame,
    negatives: str,
    at_s: Sequence[float],
    dataset: Dataset,
    items: ItemTable,
) -> list[Case]:
    out = []
    for user, wanted, others, moment_s in zip(
        table["user_id"], table["positive"], table[negatives], at_s, strict=True
    ):
        rows = items.rows([wanted, *others])
        labels = np.zeros(len(rows), np.float32)
        labels[0] = 1.0
        position = position_at(dataset, moment_s)
        ones = np.ones(len(rows), np.float32)
        out.append(Case(position, moment_s, user, rows=rows, labels=labels, weights=ones))
    return out


def simulated_test_sets(dataset: Dataset, items: ItemTable, plan: Plan, seed: int) -> list[TestSet]:
    """Logged slates of the test period, with gains from the simulation's truth, not its clicks.

    "would be clicked": one draw of P(click | examined) for each item, free of position bias.
    "true relevance": the gain is that probability itself. An oracle ranks by it.
    """
    shown = pd.read_parquet(dataset.folder / "truth.parquet")
    known = {
        (ranking, item): relevance
        for ranking, item, relevance in zip(
            shown["ranking_id"], shown["item_id"], shown["relevance"], strict=True
        )
    }
    truth = [
        np.array(
            [known[ranking.ranking_id, items.item_ids[row]] for row in ranking.case.rows.tolist()],
            np.float32,
        )
        for ranking in plan.test_shown
    ]
    rng = np.random.default_rng(seed + 2)
    drawn = [(rng.random(len(chance)) < chance).astype(np.float32) for chance in truth]
    cases = [ranking.case for ranking in plan.test_shown]
    return [
        TestSet(
            name, [replace(c, labels=g) for c, g in zip(cases, gains, strict=True)], truth=truth
        )
        for name, gains in (("would be clicked", drawn), ("true relevance", truth))
    ]
