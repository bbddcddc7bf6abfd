"""The terms of a catalogue, and what a query's words mean in it: as written, misspelt, compound."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from features.arrays import FloatArray, IntArray
from serving.search.words.analysis import MAX_TERMS, SHORTEST_PART, Analyzer
from serving.search.words.stop_words import StopWords

_MISSPELT = {1: 0.8, 2: 0.6}  # what a term counts that is so many edits away
_SHORTEST_MISSPELT = {1: 4, 2: 8}  # letters of a word that may be so many edits away
_COMPOUND = 0.9
_COMPOUND_OF_TWO = 0.7  # a guess that counts less is less likely than a compound of two words
_MOST_GUESSES = 8  # unknown words of a query that are guessed at: each is compared with all words
_MOST = 5  # terms that stand for one misspelt word
_CONTAINING = 20  # terms that stand for a single character


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """A word of a query. meant: codes of the terms that it may be, with what each counts."""

    term: str
    meant: tuple[tuple[int, float], ...]


def misspelt(word: str, others: Iterable[str]) -> str | None:
    """Which of `others` a word may be a misspelling of, as a query is read; None: it is none."""
    most = sum(len(word) >= shortest for shortest in _SHORTEST_MISSPELT.values())
    if not most or any(map(str.isdigit, word)) or not _spaced(word):
        return None
    found = process.extractOne(word, others, scorer=OSA.distance, score_cutoff=most)
    return None if found is None else found[0]


class Lexicon:
    """Codes and frequencies of terms. One thread writes, others read.

    frequency: int32 (capacity,), how many items have each term
    """

    def __init__(self, analyzer: Analyzer) -> None:
        self.analyzer = analyzer
        self.code_of: dict[str, int] = {}
        self.terms: list[str] = []
        self.frequency: IntArray = np.zeros(1024, np.int32)
        self.n_items = 0
        # Terms, and a word of each: a slip near the end of a word can change what is cut off.
        self._by_length: dict[int, list[str]] = defaultdict(list)
        self._term_of_word: dict[str, str] = {}
        self._unsure: set[str] = set()  # terms that may be misread: no word is a slip of them
        self._is_stop_word = StopWords(analyzer.language)
        self._similar = lru_cache(4096)(self._find_similar)
        self._n_similar = 0  # terms when the memory of similar ones was begun

    def codes(self, terms: Sequence[str], sure: bool = True) -> list[int]:
        """Codes of an item's terms; new ones are added. Of the writing thread only.

        sure: somebody wrote them; else they were read on pictures, and are found as they stand
        """
        code_of = self.code_of
        codes = []
        for term in terms:
            code = code_of.get(term)
            if code is None:
                code = len(self.terms)
                if code >= len(self.frequency):
                    self.frequency = np.concatenate([self.frequency, np.zeros_like(self.frequency)])
                self.terms.append(term)
                if sure:
                    self._offer(term)
                else:
                    self._unsure.add(term)
                code_of[term] = code
            elif sure and term in self._unsure:
                self._unsure.discard(term)
                self._offer(term)
            codes.append(code)
        return codes

    def _offer(self, term: str) -> None:
        """From now on a query's word may be a slip of it."""
        for written in {term, self.analyzer.word_of(term)}:
            self._term_of_word[written] = term
            self._by_length[len(written)].append(written)

    def count(self, codes: IntArray, n_items: int) -> None:
        """Count so many items in, or out (negative), given their terms: (n, any), -1 = no more."""
        ordered = np.sort(codes, axis=1)
        first = np.ones(ordered.shape, bool)  # of a term that the item has in several fields
        first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        np.add.at(self.frequency, ordered[first & (ordered >= 0)], 1 if n_items > 0 else -1)
        self.n_items += n_items

    def rarity(self, codes: IntArray) -> FloatArray:
        """Inverse document frequency of terms as BM25 has it, float32, any shape; -1 reads 0."""
        frequency = self.frequency[codes]
        idf = np.log1p((self.n_items - frequency + 0.5) / (frequency + 0.5))
        return np.where(codes >= 0, idf, 0.0).astype(np.float32)

    def rarity_of_unknown(self) -> np.float32:
        """The rarity of a term that no item has."""
        return np.float32(np.log1p(2 * self.n_items + 1))

    def has(self, words: str) -> bool:
        """Whether items have every term of `words`."""
        return all(map(self._known, self.analyzer.terms(words)))

    def pairs_of(self, character: str) -> list[int]:
        """Codes of the terms of two characters that have this one."""
        pairs = [pair for pair in list(self._by_length[2]) if character in pair]
        return [self.code_of[pair] for pair in pairs if pair in self.code_of]

    def query_terms(self, query: str) -> list[QueryTerm]:
        """The distinct terms of a query with what they mean here; function words say nothing."""
        spans = self.analyzer.spans(query)[:MAX_TERMS]
        telling = [span for span in spans if not self._is_stop_word(span[1])] or spans
        meant: dict[str, dict[int, float]] = {}
        parts: list[tuple[str, str]] = []
        n_unknown = 0
        for term, word in telling:
            n_unknown += not self._known(term)
            meanings = self._meanings(term, word) if n_unknown <= _MOST_GUESSES else []
            close = any(weight > _COMPOUND_OF_TWO for _, weight in meanings)
            split = self._hyphenated(term)
            if split is None and not close and n_unknown <= _MOST_GUESSES:
                split = self._split(word)
            for part in split or [(term, word)]:
                parts.append(part)
                known = [(self.code_of[part[0]], 1.0)] if split else meanings
                meant.setdefault(part[0], dict(known))
        for (first, word), (second, next_word) in pairwise(parts):
            joined = self._joined(word, next_word)
            if joined is not None:
                for term in (first, second):
                    meant[term].setdefault(joined, _COMPOUND)
        return [QueryTerm(term, tuple(codes.items())) for term, codes in meant.items()]

    def corrected(self, query: str) -> str:
        """The query as it may have been meant: words that no item has, as the likeliest ones."""
        text, located = self.analyzer.located(query)
        written, at, n_unknown = [], 0, 0
        for term, start, end in located[:MAX_TERMS]:
            if not _spaced(term) or self._known(term):
                continue
            n_unknown += 1
            if n_unknown > _MOST_GUESSES:
                break
            parts = self._hyphenated(term)
            meant = [] if parts else self._meanings(term, text[start:end])
            if parts:
                written += [text[at:start], "-".join(word for _, word in parts)]
                at = end
            if meant:
                code, _ = max(meant, key=lambda meaning: meaning[1])
                written += [text[at:start], self.analyzer.word_of(self.terms[code])]
                at = end
        return "".join([*written, text[at:]]) if written else query

    def _joined(self, word: str, next_word: str) -> int | None:
        """The code of two words written as one, if items have it."""
        if not (_spaced(word) and _spaced(next_word)) or (word + next_word).isdigit():
            return None
        glued = self.analyzer.terms(word + next_word)
        return self.code_of[glued[0]] if len(glued) == 1 and self._known(glued[0]) else None

    def _known(self, term: str) -> bool:
        code = self.code_of.get(term)
        return code is not None and bool(self.frequency[code])

    def _meanings(self, term: str, word: str) -> list[tuple[int, float]]:
        if self._known(term):
            return [(self.code_of[term], 1.0)]
        if len(self.terms) > 1.01 * self._n_similar:
            self._similar.cache_clear()
            self._n_similar = len(self.terms)
        return [(self.code_of[other], weight) for other, weight in self._similar(term, word)]

    def _find_similar(self, term: str, word: str) -> list[tuple[str, float]]:
        if len(term) == 1 and not term.isascii():  # a character of writing without spaces
            pairs = [self.terms[code] for code in self.pairs_of(term)]
            return [(other, _COMPOUND) for other in pairs if self._known(other)][:_CONTAINING]
        for distance, weight in _MISSPELT.items():
            similar = self._similar_by(term, distance) or self._similar_by(word, distance)
            if similar:
                return [(other, weight) for other in similar]
        return []

    def _similar_by(self, term: str, distance: int) -> list[str]:
        """Terms so many edits away, most frequent first; no guesses at numbers and short words."""
        n = len(term)
        if n < _SHORTEST_MISSPELT[distance] or any(map(str.isdigit, term)) or not _spaced(term):
            return []
        choices = [
            other for m in range(n - distance, n + distance + 1) for other in self._by_length[m]
        ]
        close = process.extract(
            term, choices, scorer=OSA.distance, score_cutoff=distance, limit=4 * _MOST
        )
        terms = dict.fromkeys(self._term_of_word[other] for other, _, _ in close)
        known = [other for other in terms if self._known(other)]
        # Most people get the first letter right.
        known.sort(key=lambda o: (o[0] != term[0], -self.frequency[self.code_of[o]]))
        return known[:_MOST]

    def _hyphenated(self, term: str) -> list[tuple[str, str]] | None:
        """Terms and words that items write with a hyphen where the query has none."""
        words = self.analyzer.hyphenated(term)
        if words is None or self._known(term):
            return None
        parts = [self.analyzer.spans(word)[0] for word in words]
        return parts if all(self._known(part) for part, _ in parts) else None

    def _split(self, word: str) -> list[tuple[str, str]] | None:
        """A compound as two words of the catalogue, the one whose parts are most frequent."""
        best, score = None, 0
        for at in range(SHORTEST_PART, len(word) - SHORTEST_PART + 1):
            halves = [self.analyzer.spans(half) for half in (word[:at], word[at:])]
            if all(len(half) == 1 and self._known(half[0][0]) for half in halves):
                parts = [half[0] for half in halves]
                both = min(int(self.frequency[self.code_of[term]]) for term, _ in parts)
                if both > score:
                    best, score = parts, both
        return best


def _spaced(term: str) -> bool:
    """Whether `term` is of writing in words; characters of others are no letters to be swapped."""
    return term[0] < "\u0e00"
