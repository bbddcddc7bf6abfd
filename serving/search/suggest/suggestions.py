"""Suggestions for a search box: what was typed to what may be meant, popular first."""

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from features.arrays import RowArray
from features.catalog.counters import ItemCounters
from features.catalog.table import ItemTable
from serving.search.suggest.answer import Answer, Suggestion
from serving.search.suggest.index import empty_index, index_of
from serving.search.suggest.texts import Texts
from serving.search.suggest.typed import as_begun, as_mistyped, as_one, as_typed, typed_words
from serving.search.suggest.typos import exactly

_EVERY_S = 10.0
_SHARE = 0.05  # of the time, at most, goes into making the index anew


@dataclass(frozen=True, slots=True)
class Suggested:
    """Best first. corrected: how what was typed reads in them, when it was mistyped."""

    suggestions: list[Suggestion]
    corrected: str | None = None


class SuggestedItems(Protocol):
    """The catalogue of a replica, as far as suggestions read it."""

    @property
    def table(self) -> ItemTable: ...
    @property
    def counters(self) -> ItemCounters: ...


class Suggestions:
    """One thread writes (`update`, `refresh`, `rebuild`), others read (`suggest`) or `touch`.

    language: ISO 639-1, of the function words with which no phrase begins or ends
    """

    def __init__(self, items: SuggestedItems, language: str = "en") -> None:
        self._items = items
        self._texts = Texts(language)
        self._index = empty_index()
        self._stale = False
        self._due_s = -np.inf

    def update(self, rows: RowArray) -> None:
        """Take over new, changed and removed items; they are suggested from the next refresh on."""
        self._texts.update(rows, self._items.table)
        self._stale = True

    def touch(self) -> None:
        """Counters changed."""
        self._stale = True

    def refresh(self, now_s: float) -> None:
        """Rebuild, if something changed and the last time is long enough ago."""
        if not self._stale or now_s < self._due_s:
            return
        started_s = time.perf_counter()
        self.rebuild(now_s)
        self._due_s = now_s + max(_EVERY_S, (time.perf_counter() - started_s) / _SHARE)

    def rebuild(self, now_s: float) -> None:
        """Make the index anew, with popularity as of `now_s`."""
        self._stale = False  # first: what changes while it is made counts the next time
        self._index = index_of(self._texts, self._items.table, self._items.counters, now_s)

    def suggest(self, text: str, limit: int) -> Suggested:
        """At most `limit` suggestions for what was typed; for nothing, what is popular.

        First what begins as typed, then what has the words anywhere, both by popularity; then items
        whose titles have them. Where these are few and not all words are known, what may have been
        meant follows.
        """
        index = self._index
        answer = Answer(index, self._texts, self._items.table, limit)
        words = typed_words(text)
        if not words:
            if not text.strip():
                answer.add_popular()
            return Suggested(answer.suggestions)
        apart = [word.apart for word in words]
        typed, begun = as_typed(index.keys, words), as_begun(index.keys, words)
        readings = [typed] if begun == typed else [typed, begun]
        for reading in readings:
            answer.add_phrases(reading, apart)
        found = bool(answer.suggestions)
        for reading in readings:
            answer.add_items(reading, apart)
        if not found and len(words) > 1:
            answer.add_phrases(as_one(index.keys, words), [True])
        found = bool(answer.suggestions)
        if answer.full or (
            found and all(map(answer.known, (exactly(index.keys, word.key) for word in words)))
        ):
            return Suggested(answer.suggestions)
        reading = as_mistyped(index.keys, index.letters, words, answer.known)
        for add, postings in (
            (answer.add_phrases, index.phrases),
            (answer.add_items, index.items),
        ):
            first = add(reading, apart)
            if first is not None:
                corrected = None if found else answer.corrected(words, reading, postings, first)
                return Suggested(answer.suggestions, corrected)
        return Suggested(answer.suggestions)
