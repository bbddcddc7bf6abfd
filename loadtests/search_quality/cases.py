"""Judged queries as cases, and the groups that they are reported by."""

import random
from dataclasses import dataclass

import pandas as pd

from features.datasets.format import Dataset, DatasetError
from features.datasets.grocery.queries import made_queries, query_table
from serving.search.understanding.unwanted import read_unwanted

RELEVANT_GAIN = 0.5  # of an item that answers the query; of ESCI's grades only Exact
_SCRIPTS = (("ja", "\u3040", "\u30ff"), ("ko", "\uac00", "\ud7a3"), ("zh", "\u4e00", "\u9fff"))
_UNSPACED = frozenset({"ja", "ko", "zh"})  # told by characters, not by words


@dataclass(frozen=True, slots=True)
class Case:
    """A query and the gain, 0..1, of each item that somebody judged for it."""

    query: str
    kind: str
    language: str  # "" when unknown
    split: str  # "dev", "test" or ""
    gains: dict[str, float]

    @property
    def relevant(self) -> frozenset[str]:
        """The items that answer it."""
        return frozenset(item for item, gain in self.gains.items() if gain >= RELEVANT_GAIN)

    @property
    def length(self) -> str:
        """Its length as a group: in words, or in characters where words are not spaced."""
        if self.language in _UNSPACED:
            n = len(self.query.replace(" ", ""))
            bounds = ((2, "1-2"), (4, "3-4"), (8, "5-8"))
            return next((name for most, name in bounds if n <= most), "9+") + " characters"
        n = len(self.query.split())
        return f"{n} word{'s' * (n > 1)}" if n < 4 else "4+ words"

    def groups(self) -> list[tuple[str, str]]:
        """What it counts for, as (dimension, value)."""
        found = [
            ("all", "all"),
            ("kind", self.kind or "unnamed"),
            ("language", self.language or "unknown"),
            ("length", self.length),
        ]
        if read_unwanted(self.query, str.split).unwanted:
            found.append(("wants", "not everything"))
        return found


def judged_cases(dataset: Dataset, split: str = "") -> list[Case]:
    """The data set's judged queries, or those made for the grocery catalogue; of one half if named.

    Raises DatasetError where there are none.
    """
    table = dataset.queries
    if table is None and dataset.info.name == "grocery":
        table = query_table(made_queries(dataset.items))
    if table is None or table.empty:
        raise DatasetError(f"{dataset.info.name}: no judged queries (docs/data.md, `queries`)")
    if split:
        table = table[table["split"] == split]
        if table.empty:
            raise DatasetError(f"{dataset.info.name}: no queries of the half {split!r}")
    return [_case(judged) for _, judged in table.groupby("query_id", sort=False)]


def sampled(cases: list[Case], n: int, seed: int) -> list[Case]:
    """About `n` cases in their order: of each kind its share, and at least one; 0: all of them."""
    if n <= 0 or n >= len(cases):
        return cases
    places: dict[str, list[int]] = {}
    for place, case in enumerate(cases):
        places.setdefault(case.kind, []).append(place)
    rng = random.Random(seed)
    drawn: list[int] = []
    for kind in sorted(places):
        of_kind = places[kind]
        share = max(1, round(n * len(of_kind) / len(cases)))
        drawn += rng.sample(of_kind, min(share, len(of_kind)))
    return [cases[place] for place in sorted(drawn)]


def language_of(query: str) -> str:
    """The language that the script tells; "" for one that many languages use."""
    for language, first, last in _SCRIPTS:
        if any(first <= letter <= last for letter in query):
            return language
    return ""


def _case(judged: pd.DataFrame) -> Case:
    first = judged.iloc[0]
    query = str(first["query"])
    gains = dict(zip(judged["item_id"], judged["gain"], strict=True))
    gains.pop("", None)  # a query that nothing answers
    language = str(first["language"]) or language_of(query)
    return Case(query, str(first["kind"]), language, str(first["split"]), gains)
