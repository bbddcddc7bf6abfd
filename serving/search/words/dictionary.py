"""What a language's dictionary says that words mean: other words for the same thing.

For writing without spaces, where neither endings nor misspellings lead from one word to another.
Each line of `dictionaries/<language>.tsv` is a group of words that mean the same, folded as queries
are; serving/training/data/synonym_groups.py made them, and README.md beside them has the sources.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from serving.search.words.analysis import plain_text

_FOLDER = Path(__file__).parent / "dictionaries"
# Writing that shows where a word ends, by a neighbour of another kind.
_INSIDE = re.compile("[\u30a1-\u30fa\u30fc]{2}|[a-z0-9]{2}")
_MOST_READINGS = 3  # of a query; each takes a search of its own
Groups = dict[str, list[list[str]]]  # by each of their words


class Dictionary:
    """Of one language, ISO 639-1; one without a file has no words."""

    def __init__(self, language: str) -> None:
        self._groups, self._longest = _read(language)

    def readings(self, query: str, has: Callable[[str], bool]) -> list[str]:
        """Other queries that mean the same, likeliest first. has: whether a catalogue has a word.

        Of words that overlap, the longest is read.
        """
        text = plain_text(query)
        readings: list[str] = []
        taken: set[int] = set()
        for length in range(min(self._longest, len(text)), 1, -1):
            for start in range(len(text) - length + 1):
                end = start + length
                word = text[start:end]
                if word not in self._groups or not taken.isdisjoint(range(start, end)):
                    continue
                if _inside(text, start) or _inside(text, end):
                    continue
                taken.update(range(start, end))
                readings += [
                    text[:start] + other + text[end:] for other in self._others(word) if has(other)
                ]
        return list(dict.fromkeys(readings))[:_MOST_READINGS]

    def _others(self, word: str) -> list[str]:
        """The words that stand with `word` in most groups, and in the smallest, go first."""
        score: dict[str, float] = {}
        for group in self._groups[word]:
            for other in group:
                if other != word:
                    score[other] = score.get(other, 0.0) + 1 / (len(group) - 1)
        return sorted(score, key=lambda other: -score[other])


def _inside(text: str, at: int) -> bool:
    """Whether a word goes on here: ブラ is none of 歯ブラシ."""
    return _INSIDE.match(text, at - 1, at + 1) is not None if at else False


@cache
def _read(language: str) -> tuple[Groups, int]:
    path = _FOLDER / f"{language}.tsv"
    groups: Groups = {}
    if path.is_file():
        for line in path.read_text().splitlines():
            group = line.split("\t")
            for word in group:
                groups.setdefault(word, []).append(group)
    return groups, max(map(len, groups), default=0)
