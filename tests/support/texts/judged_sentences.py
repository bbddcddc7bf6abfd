"""Sentences beside a query, judged by hand: tests/data/search/user_context."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from features.catalog.item import Item
from features.catalog.prices import Prices
from features.catalog.table import ItemTable
from serving.search.attributes import AttributeIndex
from serving.search.understanding.reader import Reader
from serving.search.understanding.wishes import Understood, Wanted, Wish
from serving.search.words.analysis import Analyzer
from serving.search.words.item_terms import ItemTerms
from serving.search.words.lexicon import Lexicon

_FOLDER = Path(__file__).parents[2] / "data" / "search" / "user_context"
_PREFIX = {Wanted.EXCLUDE_BRAND: "not"}


@dataclass(frozen=True, slots=True)
class Judged:
    """hard: what must be required, and nothing else; soft: what may lift, and nothing else."""

    language: str
    shop: str
    text: str
    hard: frozenset[str]
    soft: frozenset[str]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of all wishes of one kind together."""

    n_right: int
    n_read: int
    n_judged: int

    @property
    def precision(self) -> float:
        return self.n_right / self.n_read if self.n_read else 1.0

    @property
    def recall(self) -> float:
        return self.n_right / self.n_judged if self.n_judged else 1.0

    def __str__(self) -> str:
        return (
            f"precision {self.precision:.3f} ({self.n_right}/{self.n_read}), "
            f"recall {self.recall:.3f} ({self.n_right}/{self.n_judged})"
        )


def judged(name: str) -> list[Judged]:
    """All of a file, in its order."""
    lines = (_FOLDER / f"{name}.jsonl").read_text().splitlines()
    return [_judged(json.loads(line)) for line in lines]


@cache
def reader(language: str, currency: str = "EUR") -> Reader:
    """Over the small catalogue of a language, whose shop counts in `currency`."""
    lines = (_FOLDER / f"items_{language}.jsonl").read_text().splitlines()
    return reader_of([Item(**json.loads(line)) for line in lines], language, currency)


def reader_of(items: Iterable[Item], language: str = "en", currency: str = "EUR") -> Reader:
    """Over these items."""
    table = ItemTable(items, Prices(currency=currency))
    rows = np.arange(len(table))
    attributes, terms = AttributeIndex(), ItemTerms(Lexicon(Analyzer(language)))
    attributes.update(rows, table)
    terms.update(rows, table)
    return Reader(table, attributes, terms)


def told(understood: Understood) -> tuple[frozenset[str], frozenset[str]]:
    """What is required and what lifts, as the file writes it."""
    hard = {each for wish in understood.wishes if wish.required for each in _told(wish)}
    soft = {each for wish in understood.wishes if not wish.required for each in _told(wish)}
    return frozenset(hard), frozenset(soft)


def figures(read: Iterable[frozenset[str]], wanted: Iterable[frozenset[str]]) -> Figures:
    """How far what was read is what was judged."""
    pairs = list(zip(read, wanted, strict=True))
    return Figures(
        sum(len(one & other) for one, other in pairs),
        sum(len(one) for one, _ in pairs),
        sum(len(other) for _, other in pairs),
    )


def _told(wish: Wish) -> list[str]:
    if wish.wanted is Wanted.PRICE:
        bounds = ((">=", wish.min_price), ("<=", wish.max_price))
        return [f"price{sign}{bound:g}" for sign, bound in bounds if bound is not None]
    name = wish.name or _PREFIX.get(wish.wanted, wish.wanted.value)
    return [f"{name}={wish.values[0]}"]


def _judged(line: dict[str, Any]) -> Judged:
    return Judged(
        line["in"],
        line.get("shop", "EUR"),
        line["text"],
        frozenset(line["hard"]),
        frozenset(line["soft"]),
    )
