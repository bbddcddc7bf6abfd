"""Relevance: how likely an item is what a query asks for, whoever asks.

R(query, item) is a probability. It follows from the general encoder's cosine, from words by field,
from the category of what matches best and from exact codes, by a logistic model that was fitted on
judged queries (serving/training/fit/search/relevance.py). A query and an item have the same
relevance for every shopper; what a shopper prefers only reorders within it
(serving/ranking/slate/bounds.py).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, FloatArray, IntArray, RowArray
from features.catalog.table import ItemTable
from serving.search.words.item_terms import N_FIELDS, Field, ItemTerms, query_key
from serving.search.words.lexicon import QueryTerm

COLUMNS = (
    "cosine",  # of query and item text by the general encoder
    "below_best",  # the cosine, less the best of the catalogue
    "title",  # share of the query, by rarity, that the title has
    "any_field",  # the same of all fields
    "name",  # the same of title, brand and category together
    "all_words",  # 1: the item has every word
    "title_share",  # share of the title, by rarity, that the query asks for
    "leaf_share",  # the same share of the last level of the category
    "exact_title",  # 1: the query is the title
    "affinity",  # share of the best matches that are of the item's category
    "unknown",  # share of the query, by rarity, that no item has
)
COLUMN = {name: place for place, name in enumerate(COLUMNS)}
OF_VECTOR = ("cosine", "below_best")
# Products of columns that the model reads beside them.
_PRODUCTS = (
    ("cosine", "name"),
    ("cosine", "cosine"),
    ("name", "name"),
    ("title", "title_share"),
    ("name", "leaf_share"),
    ("unknown", "cosine"),
)
_WEIGHTS = Path(__file__).parent / "weights"
INPUTS = (*COLUMNS, *(f"{one}*{other}" for one, other in _PRODUCTS))
_AFFINITY_DEPTH = 20  # of the reference, which says of which category a query is
EXACT_CODE = 1.0  # the relevance of an item whose id, SKU or barcode is the query


@dataclass(frozen=True, slots=True)
class Matches:
    """How a query and its candidates match. values: float32 (n,), R; columns: (n, COLUMNS).

    seen: (n,), which of the values are those of their pictures; None: of none
    wanting_all: float32 (n,), what the values would be if the query did not say what it does not
    want (understanding/demotion.py); None: it does not
    """

    values: FloatArray
    columns: FloatArray
    seen: BoolArray | None = None
    wanting_all: FloatArray | None = None

    def take(self, rows: RowArray) -> "Matches":
        """Only the candidates in `rows`."""
        seen, before = self.seen, self.wanting_all
        return Matches(
            self.values[rows],
            self.columns[rows],
            None if seen is None else seen[rows],
            None if before is None else before[rows],
        )


@dataclass(frozen=True, slots=True)
class RelevanceModel:
    """Weights of INPUTS, float32 (len(INPUTS) + 1,), the bias last: with a vector, and without."""

    with_vector: FloatArray
    words_only: FloatArray

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """From JSON, by name: an input without a weight has none. Raises ValueError."""
        weights = {}
        for part in ("with_vector", "words_only"):
            by_name = {name: float(value) for name, value in given[part].items()}
            unknown = by_name.keys() - {*INPUTS, "bias"}
            if unknown or "bias" not in by_name:
                raise ValueError(f"{part}: weights of {sorted(unknown) or 'no bias'}")
            weights[part] = np.array(
                [by_name.get(name, 0.0) for name in (*INPUTS, "bias")], np.float32
            )
        return cls(**weights)

    def probability(self, columns: FloatArray, has_vector: npt.NDArray[np.bool_]) -> FloatArray:
        """R of `columns` (n, len(COLUMNS)), (n,)."""
        read = model_inputs(columns)
        logits = np.where(
            has_vector,
            read @ self.with_vector[:-1] + self.with_vector[-1],
            read @ self.words_only[:-1] + self.words_only[-1],
        )
        values: FloatArray = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return values


@dataclass(frozen=True, slots=True)
class Least:
    """What an answer needs: relevance of its own, and a share of the best one's.

    cosine: what an item needs beside these that has none of the query's words and is not found by
    its picture. R alone does not tell there: it was fitted where something answers, and something
    is always the nearest.
    """

    relevance: float = 0.0
    of_best: float = 0.0
    cosine: float = -1.0

    def met(self, matches: Matches) -> BoolArray:
        """Which of `matches` are answers, (n,); what has something unwanted as if it had not."""
        before, columns = matches.wanting_all, matches.columns
        values = matches.values if before is None else before
        least = max(self.relevance, self.of_best * float(values.max(initial=0.0)))
        wordless = (columns[:, COLUMN["any_field"]] == 0) & (values < EXACT_CODE)
        if matches.seen is not None:
            wordless &= ~matches.seen
        near = columns[:, COLUMN["cosine"]] >= self.cosine
        answers: BoolArray = (values >= least) & (near | ~wordless)
        return answers


@dataclass(frozen=True, slots=True)
class RelevanceModels:
    """Of one encoder: of items of a catalogue, and of texts of which nothing else is known.

    least: of an item, to be found by a search
    """

    items: RelevanceModel
    texts: RelevanceModel
    least: Least

    @classmethod
    def of_profile(cls, profile: str) -> Self:
        """Those that were fitted for an encoder of this profile; raises OSError, ValueError."""
        given = json.loads((_WEIGHTS / f"{profile}.json").read_text())
        return cls(
            RelevanceModel.of(given["items"]),
            RelevanceModel.of(given["texts"]),
            Least(**given["least"]),
        )


@cache
def usual_models() -> RelevanceModels:
    """Of the English encoder."""
    return RelevanceModels.of_profile("english")


def model_inputs(columns: FloatArray) -> FloatArray:
    """INPUTS of `columns`, (n, len(INPUTS))."""
    products = [columns[:, COLUMN[one]] * columns[:, COLUMN[other]] for one, other in _PRODUCTS]
    return np.column_stack([columns, *products])


def match_columns(
    query: str,
    terms: list[QueryTerm],
    items: ItemTerms,
    table: ItemTable,
    rows: RowArray,
    cosines: FloatArray,
    best_cosine: float,
    n_asked: int,
) -> FloatArray:
    """COLUMNS of the first `n_asked` of the items in `rows`, float32 (n_asked, len(COLUMNS)).

    rows: behind those, what matches best in the whole catalogue; cosines: of all, (n,), NaN = no
    vector; best_cosine: of the whole catalogue
    """
    paths = table.path[rows]  # read before the tree is: it knows them all then
    out = np.zeros((len(rows), len(COLUMNS)), np.float32)
    out[:, COLUMN["cosine"]] = np.nan_to_num(cosines)
    out[:, COLUMN["below_best"]] = np.nan_to_num(cosines - best_cosine)
    if terms and len(rows):
        _match_words(out, query, terms, items, rows)
    share = _category_shares(out[n_asked:], paths[n_asked:], len(table.category_tree))
    out[:n_asked, COLUMN["affinity"]] = share[paths[:n_asked]]
    return out[:n_asked]


def _match_words(
    out: FloatArray, query: str, terms: list[QueryTerm], items: ItemTerms, rows: RowArray
) -> None:
    lexicon = items.lexicon
    codes, fields = items.codes[rows], items.fields[rows]
    n_codes = len(lexicon.frequency) + 1  # read after the codes: it has room for them all
    place_of = np.zeros(n_codes, np.int16)  # of a term's word in the query, from 1; 0 = not in it
    counts = np.zeros(n_codes, np.float32)
    rarity = np.empty(len(terms), np.float32)
    shared: list[tuple[int, int, float]] = []  # terms that stand for a second word: code, its place
    for place, term in enumerate(terms):
        for code, weight in term.meant:
            if place_of[code]:
                shared.append((code, place, weight))
            else:
                place_of[code], counts[code] = place + 1, weight
        meant = np.array([code for code, _ in term.meant], np.int32)
        rarity[place] = lexicon.rarity(meant).min(initial=lexicon.rarity_of_unknown())
    share = rarity / rarity.sum()
    places = place_of[codes]  # a code of -1 reads the last, which is 0
    row, at = np.nonzero(places)
    held = np.zeros((len(rows), len(terms), N_FIELDS), np.float32)
    np.maximum.at(held, (row, places[row, at] - 1, fields[row, at]), counts[codes[row, at]])
    for code, place, weight in shared:
        row, at = np.nonzero(codes == code)
        of_term = np.full(len(row), place)
        np.maximum.at(held, (row, of_term, fields[row, at]), np.float32(weight))
    anywhere = held.max(axis=2)
    rarities = lexicon.rarity(codes)
    out[:, COLUMN["title"]] = held[:, :, Field.TITLE] @ share
    out[:, COLUMN["any_field"]] = anywhere @ share
    out[:, COLUMN["name"]] = held[:, :, : Field.CATEGORY + 1].max(axis=2) @ share
    out[:, COLUMN["all_words"]] = (anywhere > 0).all(axis=1)
    for name, field in (("title_share", Field.TITLE), ("leaf_share", Field.LEAF)):
        of_field = np.where(fields == field, rarities, 0.0)
        asked = np.where(places > 0, of_field, 0.0).sum(axis=1)
        out[:, COLUMN[name]] = asked / np.maximum(of_field.sum(axis=1), 1e-6)
    out[:, COLUMN["exact_title"]] = items.titles[rows] == query_key(lexicon.analyzer, query)
    out[:, COLUMN["unknown"]] = share[[not term.meant for term in terms]].sum()


def _category_shares(out: FloatArray, paths: IntArray, n_categories: int) -> FloatArray:
    """The share of the best items, by words and cosine, by code of their category."""
    share = np.zeros(n_categories + 1, np.float32)
    if len(paths):
        strength = np.maximum(out[:, COLUMN["cosine"]] + out[:, COLUMN["name"]], 1e-3)
        best = np.argsort(-strength, kind="stable")[:_AFFINITY_DEPTH]
        np.add.at(share, paths[best], strength[best] / strength[best].sum())
        share[-1] = 0.0  # no category, which is no category to have in common
    return share
