"""Words that somebody may have meant who mistyped one, complete or only begun."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from rapidfuzz import process
from rapidfuzz.distance import OSA

_SHORTEST = 4  # letters of a word that is guessed at
_TWO_TYPOS = 8  # letters of a word that may have two
_MOST = 20  # words that are two typos away
_LAST = "\U0010ffff"


def with_prefix(keys: Sequence[str], prefix: str) -> tuple[int, int]:
    """The range of `keys`, which are sorted, that begin with `prefix`."""
    low = bisect_left(keys, prefix)
    return low, bisect_left(keys, prefix + _LAST, low)


def exactly(keys: Sequence[str], word: str) -> tuple[int, int]:
    """The range of `keys` that is `word` alone; empty when it is none of them."""
    low = bisect_left(keys, word)
    return low, low + (low < len(keys) and keys[low] == word)


def meant(keys: Sequence[str], letters: str, word: str, complete: bool) -> list[tuple[int, int]]:
    """Ranges of `keys` for a mistyped word, or for the mistyped beginning of one.

    One letter too many, too few or wrong, or two swapped; in a long word that is none of them, two
    such typos behind the first letter. letters: of which words are made
    """
    if len(word) < _SHORTEST or any(map(str.isdigit, word)):
        return []
    find = exactly if complete else with_prefix
    found = {find(keys, edited) for edited in set(_edits(word, letters, complete))}
    ranges = _merged(sorted(pair for pair in found if pair[0] < pair[1]))
    if ranges or len(word) < _TWO_TYPOS:
        return ranges
    low, high = with_prefix(keys, word[0])
    part = list(keys[low:high])
    # Of a word that is only begun the beginning counts; one letter longer, if one is missing.
    lengths = (None,) if complete else (len(word), len(word) + 1)
    choices = [key[:length] for length in lengths for key in part]
    close = process.extract(word, choices, scorer=OSA.distance, score_cutoff=2, limit=_MOST)
    places = {low + place % len(part) for _, _, place in close}
    return _merged([(place, place + 1) for place in sorted(places)])


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for low, high in ranges:
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def _edits(word: str, letters: str, complete: bool) -> Iterator[str]:
    for at in range(len(word) + 1):
        head, tail = word[:at], word[at:]
        for letter in letters:
            yield head + letter + tail
        if tail:
            # What is left of a short beginning would begin too much.
            if complete or len(word) > _SHORTEST:
                yield head + tail[1:]
            for letter in letters:
                yield head + letter + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
