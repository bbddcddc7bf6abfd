"""Which entries have a word: entries are found by the ranges of words that a query may mean."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, IntArray, LongArray

Ranges = Sequence[tuple[int, int]]  # of ranks of words, half open: what one word typed may mean
_REACH = 2_000  # entries that are looked at more closely


class Postings:
    """Never changed once made. An entry's number is its rank: 0 is the best one.

    ranks: int32 (n, length) ranks of each entry's words in order, -1 = none, anywhere; at most 127
    words of an entry
    """

    def __init__(self, ranks: IntArray, n_ranks: int) -> None:
        self.n_entries = len(ranks)
        entries, places = np.nonzero(ranks >= 0)
        words = ranks[entries, places]
        order = np.argsort(words, kind="stable")  # best first within each word
        self._entries: IntArray = entries[order].astype(np.int32)
        self._places: npt.NDArray[np.int8] = places[order].astype(np.int8)
        counts = np.bincount(words, minlength=n_ranks)
        self._starts: LongArray = np.concatenate([[0], np.cumsum(counts)])

    def has(self, low: int, high: int) -> bool:
        """Whether an entry has a word of this range."""
        return bool(self._starts[high] > self._starts[low])

    def matching(self, words: Sequence[Ranges], apart: Sequence[bool]) -> tuple[list[int], ...]:
        """Entries that begin with `words` in this order, and others that have all of them.

        Both best first. apart: whether a word may stand anywhere, not only behind the one before.
        """
        leading, anywhere = np.ones(self.n_entries, bool), np.ones(self.n_entries, bool)
        # The rarest word first: of the others, only what is left has to be looked at.
        for place in sorted(range(len(words)), key=lambda place: self._size(words[place])):
            here, somewhere = np.zeros(self.n_entries, bool), np.zeros(self.n_entries, bool)
            for entries, places in self._parts(words[place], anywhere):
                somewhere[entries] = True
                here[entries[places == place]] = True
            leading &= here
            anywhere = somewhere
            if not anywhere.any():
                return [], []
        anywhere &= ~leading
        others = np.flatnonzero(anywhere)[:_REACH]
        if not all(apart[1:]) and len(others):
            others = self._together(others, words, apart)
        return np.flatnonzero(leading)[:_REACH].tolist(), others.tolist()

    def word_of(self, entry: int, ranges: Ranges) -> int:
        """The rank of the first word of `entry` that is in `ranges`; -1 for none."""
        for low, high in ranges:
            start, end = self._starts[low], self._starts[high]
            found = np.flatnonzero(self._entries[start:end] == entry)
            if len(found):
                return int(np.searchsorted(self._starts, start + found[0], side="right")) - 1
        return -1

    def _size(self, ranges: Ranges) -> int:
        return sum(int(self._starts[high] - self._starts[low]) for low, high in ranges)

    def _parts(
        self, ranges: Ranges, among: BoolArray
    ) -> Iterator[tuple[IntArray, npt.NDArray[np.int8]]]:
        """Entries of `among` with such words, and the places of these."""
        for low, high in ranges:
            part = slice(self._starts[low], self._starts[high])
            entries = self._entries[part]
            known = np.flatnonzero(among[entries])
            yield entries[known], self._places[part][known]

    def _together(
        self, entries: LongArray, words: Sequence[Ranges], apart: Sequence[bool]
    ) -> LongArray:
        """Those of `entries` in which words that are not apart stand one behind the other."""
        among = np.zeros(self.n_entries, bool)
        among[entries] = True
        left, begins = entries, 0
        for place in range(1, len(words) + 1):
            if place < len(words) and not apart[place]:
                continue
            if place - begins > 1:
                left = np.intersect1d(left, self._runs(words[begins:place], among))
            begins = place
        return left

    def _runs(self, words: Sequence[Ranges], among: BoolArray) -> LongArray:
        runs: LongArray | None = None
        for step, ranges in enumerate(words):
            keys = []
            for entries, places in self._parts(ranges, among):
                keys.append(entries.astype(np.int64) * 256 + (places.astype(np.int64) - step + 128))
            these = np.concatenate(keys) if keys else np.zeros(0, np.int64)
            runs = these if runs is None else np.intersect1d(runs, these)
        assert runs is not None
        return np.unique(runs // 256)
