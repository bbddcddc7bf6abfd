"""Queries against the catalogue of a replica: what a query means here, and how items match it."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.arrays import FloatArray, RowArray
from features.catalog.table import ItemTable
from serving.search.dense import DenseIndex
from serving.search.pictures.index import PictureIndex
from serving.search.relevance import COLUMNS, EXACT_CODE, Matches, RelevanceModel, match_columns
from serving.search.understanding.demotion import demoted
from serving.search.understanding.mentions import Mentions
from serving.search.understanding.unwanted import read_unwanted
from serving.search.words.analysis import Analyzer
from serving.search.words.dictionary import Dictionary
from serving.search.words.item_terms import ItemTerms
from serving.search.words.lexical import LexicalIndex
from serving.search.words.lexicon import Lexicon, QueryTerm
from serving.search.words.synonyms import Meaning, Synonyms

MANY = 200  # items that are asked whether any has what is not wanted
REFERENCE_DEPTH = 20  # of each list: what matches best says of which category a query is


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, read in this catalogue.

    readings: its words, and those that mean the same, with their terms; of what it wants alone the
    terms;
    vector: float32 (VECTOR_SIZE,), None while the encoder is down or most items wait for it;
    by_words, nearest, exact, seen: int64 (any,), rows that words, the vector, a code and their
    pictures find, best first;
    best_cosine: of any item; unwanted: what it says that it does not want
    """

    readings: list[tuple[str, list[QueryTerm]]]
    vector: FloatArray | None
    by_words: RowArray
    nearest: RowArray
    exact: RowArray
    seen: RowArray
    best_cosine: float
    unwanted: tuple[str, ...] = ()

    @property
    def found(self) -> RowArray:
        """All that was found, in the order of rows."""
        return np.unique(np.concatenate([self.by_words, self.nearest, self.exact, self.seen]))

    @property
    def reference(self) -> RowArray:
        """The best of each list, by which a category is judged."""
        return np.union1d(self.by_words[:REFERENCE_DEPTH], self.nearest[:REFERENCE_DEPTH])


class Matcher:
    """Reads queries and judges items. One thread writes, others read.

    pictures: of the items, where they are looked at; reads_pictures: whether somebody reads them
    """

    def __init__(
        self,
        analyzer: Analyzer,
        dense: DenseIndex,
        model: RelevanceModel,
        synonyms: Iterable[Meaning] = (),
        pictures: PictureIndex | None = None,
        reads_pictures: bool = False,
    ) -> None:
        self._pictures = pictures
        self._writing = threading.Lock()  # items and what is written on pictures: two threads
        self.lexicon = Lexicon(analyzer)
        self.items = ItemTerms(self.lexicon, reads_pictures)
        self._lexical = LexicalIndex(self.lexicon, reads_pictures)
        self._dense = dense
        self._model = model
        self._synonyms = Synonyms(analyzer, synonyms)
        self._dictionary = Dictionary(analyzer.language)

    def update(self, rows: RowArray, table: ItemTable) -> None:
        """Take over new, changed and removed items."""
        with self._writing:
            self._lexical.update(rows, self.items.update(rows, table))

    def take_written(self, rows: RowArray, texts: Sequence[str], table: ItemTable) -> None:
        """What is written on the pictures of items in `rows`, "" = nothing; from any thread."""
        changed = [
            place
            for place, row in enumerate(rows.tolist())
            if self.items.written(row) != texts[place]
        ]
        if changed:
            with self._writing:
                self.items.take_written(rows[changed], [texts[place] for place in changed])
                self._lexical.update(rows[changed], self.items.update(rows[changed], table))

    def read(
        self,
        query: str,
        vector: FloatArray | None,
        table: ItemTable,
        depth: int = REFERENCE_DEPTH,
    ) -> Asked:
        """What is asked, with the rows that are found for it, at most `depth` by each list."""
        if not self._dense.is_ready:
            vector = None  # items with a vector cannot be compared with items without
        said = read_unwanted(query, self.lexicon.analyzer.terms)
        unwanted = tuple(each for each in said.unwanted if self._is_told_of(each, table))
        others = self._other_readings(query)
        readings = [(text, self.lexicon.query_terms(text)) for text in (query, *others)]
        if unwanted and said.rest:  # "": a title that is the rest alone is not what was asked
            readings.append(("", self.lexicon.query_terms(said.rest)))
        nearest, best = np.zeros(0, np.int64), 0.0
        seen = nearest
        if vector is not None and self._pictures is not None:
            seen = self._pictures.shown_for(vector, depth)
        if vector is not None:
            nearest = self._dense.nearest(vector, depth)
            _, vectors = self._dense.known(nearest[:1])
            best = float((vectors @ vector).max(initial=0.0))
        exact = self.items.rows_of_code(query)
        by_words = [self._lexical.search(terms, depth) for _, terms in readings]
        return Asked(readings, vector, _in_turn(by_words), nearest, exact, seen, best, unwanted)

    def _is_told_of(self, phrase: str, table: ItemTable) -> bool:
        """Whether an item has it: "gift not included batteries" does not want what is not sold."""
        is_character = len(phrase) == 1 and not phrase.isascii()
        if not (is_character or self.lexicon.has(phrase)):
            return False  # and need not be guessed at
        terms, mentions = self.lexicon.query_terms(phrase), Mentions(self.items, table)
        for depth in (REFERENCE_DEPTH, MANY):  # those that are without have the words as well
            spoken = mentions.among(phrase, self._lexical.search(terms, depth))
            if spoken.named.any() or spoken.told.any():
                return True
        return False

    def _other_readings(self, query: str) -> list[str]:
        """What the merchandiser says that it means, then what its language's dictionary does."""
        said = self._synonyms.readings(query)
        return list(dict.fromkeys(said + self._dictionary.readings(query, self.lexicon.has)))

    def matches(self, asked: Asked, table: ItemTable, rows: RowArray) -> Matches:
        """How the items in `rows` match; one of -1, outside the catalogue, matches nothing.

        The same for an item whatever other rows are asked about.
        """
        matches = self._as_if_all_were_wanted(asked, table, rows)
        if not asked.unwanted:
            return matches
        return demoted(matches, asked.unwanted, Mentions(self.items, table), rows)

    def _as_if_all_were_wanted(self, asked: Asked, table: ItemTable, rows: RowArray) -> Matches:
        known = (rows >= 0) & (rows < len(self.items.titles))
        at = np.concatenate([rows[known], asked.reference])
        cosines = np.full(len(at), np.nan, np.float32)
        if asked.vector is not None:
            has_vector, vectors = self._dense.known(at)
            cosines[has_vector] = vectors @ asked.vector
            # A new item is taken to be as near as what is found usually is: it has no advantage
            # of being judged by its words alone.
            found = cosines[len(at) - len(asked.reference) :]
            if np.isfinite(found).any():
                cosines[self._dense.awaited(at)] = np.nanmean(found)
        n_asked = int(known.sum())
        values = np.full(n_asked, -1.0, np.float32)
        columns = np.zeros((n_asked, len(COLUMNS)), np.float32)
        for query, terms in asked.readings:
            read = match_columns(
                query, terms, self.items, table, at, cosines, asked.best_cosine, n_asked
            )
            likely = self._model.probability(read, np.isfinite(cosines[:n_asked]))
            better = likely > values
            values[better], columns[better] = likely[better], read[better]
        seen = None
        if asked.vector is not None and self._pictures is not None:
            # What a title does not say its picture may show: the surer of both counts.
            likely = self._pictures.likely_for(asked.vector, at[:n_asked])
            seen = likely > values
            values[seen] = likely[seen]
        values[np.isin(at[:n_asked], asked.exact)] = EXACT_CODE
        if known.all():
            return Matches(values, columns, seen)
        everywhere = Matches(
            np.zeros(len(rows), np.float32), np.zeros((len(rows), columns.shape[1]), np.float32)
        )
        everywhere.values[known], everywhere.columns[known] = values, columns
        if seen is None:
            return everywhere
        return replace(everywhere, seen=known & np.isin(rows, at[:n_asked][seen]))


def _in_turn(lists: Sequence[RowArray]) -> RowArray:
    """The lists as one: the best of each, then the second of each."""
    if len(lists) == 1:
        return lists[0]
    places = np.concatenate([np.arange(len(rows)) for rows in lists])
    rows = np.concatenate(lists)[np.argsort(places, kind="stable")]
    _, first = np.unique(rows, return_index=True)
    merged: RowArray = rows[np.sort(first)]
    return merged
