"""What the merchandiser says that words mean: other words for the same thing."""

from collections.abc import Iterable, Sequence

from serving.search.words.analysis import Analyzer

_MOST_READINGS = 6  # of one query, besides its own words
Meaning = tuple[str, Sequence[str]]  # a phrase, and those that are searched for as well


class Synonyms:
    """Phrases by their terms. A query that holds one is read with each of its meanings, too."""

    def __init__(self, analyzer: Analyzer, meanings: Iterable[Meaning] = ()) -> None:
        self._analyzer = analyzer
        self._meanings: dict[tuple[str, ...], list[str]] = {}
        for phrase, others in meanings:
            terms = tuple(analyzer.terms(phrase))
            if terms:
                self._meanings.setdefault(terms, []).extend(others)
        self._longest = max(map(len, self._meanings), default=0)

    def readings(self, query: str) -> list[str]:
        """Other queries that mean the same, most likely first; a longer phrase goes before."""
        if not self._meanings:
            return []
        text, located = self._analyzer.located(query)
        terms = [term for term, _, _ in located]
        readings: list[str] = []
        for length in range(min(self._longest, len(terms)), 0, -1):
            for first in range(len(terms) - length + 1):
                for other in self._meanings.get(tuple(terms[first : first + length]), ()):
                    start, end = located[first][1], located[first + length - 1][2]
                    readings.append(text[:start] + other + text[end:])
        return list(dict.fromkeys(readings))[:_MOST_READINGS]


def meanings(same: Iterable[Sequence[str]], one_way: Iterable[Meaning]) -> list[Meaning]:
    """Groups of phrases that mean the same, and phrases that also mean others, as meanings."""
    both = [
        (phrase, [other for other in group if other != phrase])
        for group in same
        for phrase in group
    ]
    return [*both, *one_way]
