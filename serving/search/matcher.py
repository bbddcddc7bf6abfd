"""Queries against the catalogue of a replica: what a query means here, and how items match it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from features.arrays import FloatArray, RowArray
from features.catalog.table import ItemTable
from features.catalog.words import folded
from serving.search.dense import DenseIndex
from serving.search.relevance import EXACT_CODE, Matches, RelevanceModel, match_columns
from serving.search.words.analysis import Analyzer
from serving.search.words.item_terms import ItemTerms
from serving.search.words.lexical import LexicalIndex
from serving.search.words.lexicon import Lexicon, QueryTerm

REFERENCE_DEPTH = 20  # of each list: what matches best says of which category a query is


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, read in this catalogue.

    vector: float32 (VECTOR_SIZE,), None while the encoder is down; by_words, nearest, exact: int64
    (any,), rows that words, the vector and a code find, best first; best_cosine: of any item
    """

    query: str
    terms: list[QueryTerm]
    vector: FloatArray | None
    by_words: RowArray
    nearest: RowArray
    exact: RowArray
    best_cosine: float

    @property
    def found(self) -> RowArray:
        """All that was found, in the order of rows."""
        return np.unique(np.concatenate([self.by_words, self.nearest, self.exact]))

    @property
    def reference(self) -> RowArray:
        """The best of each list, by which a category is judged."""
        return np.union1d(self.by_words[:REFERENCE_DEPTH], self.nearest[:REFERENCE_DEPTH])


class Matcher:
    """Reads queries and judges items. One thread writes, others read.

    model: the relevance model of the encoder in use, asked for each time.
    """

    def __init__(
        self, analyzer: Analyzer, dense: DenseIndex, model: Callable[[], RelevanceModel]
    ) -> None:
        self.lexicon = Lexicon(analyzer)
        self._items = ItemTerms(self.lexicon)
        self._lexical = LexicalIndex(self.lexicon)
        self._dense = dense
        self._model = model

    def update(self, rows: RowArray, table: ItemTable) -> None:
        """Take over new, changed and removed items."""
        self._lexical.update(rows, self._items.update(rows, table))

    def read(self, query: str, vector: FloatArray | None, depth: int = REFERENCE_DEPTH) -> Asked:
        """What is asked, with the rows that are found for it, at most `depth` by each list."""
        terms = self.lexicon.query_terms(query)
        nearest, best = np.zeros(0, np.int64), 0.0
        if vector is not None:
            nearest = self._dense.nearest(vector, depth)
            _, vectors = self._dense.known(nearest[:1])
            best = float((vectors @ vector).max(initial=0.0))
        exact = np.array(self._items.rows_of_code.get(folded(query), ()), np.int64)
        by_words = self._lexical.search(terms, depth)
        return Asked(query, terms, vector, by_words, nearest, exact, best)

    def matches(self, asked: Asked, table: ItemTable, rows: RowArray) -> Matches:
        """How the items in `rows` match; one of -1, outside the catalogue, matches nothing.

        The same for an item whatever other rows are asked about.
        """
        known = (rows >= 0) & (rows < len(self._items.titles))
        at = np.concatenate([rows[known], asked.reference])
        cosines = np.full(len(at), np.nan, np.float32)
        if asked.vector is not None:
            has_vector, vectors = self._dense.known(at)
            cosines[has_vector] = vectors @ asked.vector
        n_asked = int(known.sum())
        columns = match_columns(
            asked.query, asked.terms, self._items, table, at, cosines, asked.best_cosine, n_asked
        )
        values = self._model().probability(columns, np.isfinite(cosines[:n_asked]))
        values[np.isin(at[:n_asked], asked.exact)] = EXACT_CODE
        if known.all():
            return Matches(values, columns)
        everywhere = Matches(
            np.zeros(len(rows), np.float32), np.zeros((len(rows), columns.shape[1]), np.float32)
        )
        everywhere.values[known], everywhere.columns[known] = values, columns
        return everywhere
