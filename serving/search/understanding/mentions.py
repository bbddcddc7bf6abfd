"""Which items speak of a thing, and do not say that they are without it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from features.arrays import BoolArray, RowArray
from features.catalog.table import ItemTable
from serving.search.words.analysis import Analyzer
from serving.search.words.item_terms import Field, ItemTerms

_MOST_READ = 5_000  # items: of what more of them speak of, "sugar free" is not told from "sugar"
READ = 600  # characters of a text that are read in passing: the 48 terms of an item reach as far
_WITHOUT_BEFORE = re.compile(
    r"(?:\b(?:no|not|non|without|zero|free of|free from|ohne|keine?[nmrs]?|frei von|null)[ -]"
    r"(?:added |any |artificial |zusatz von )?(?:[\w-]+,? (?:or|and|oder|und|&) )?|(?<!\d)0 ?%? ?"
    r"|不含|无|不加|零|未添加|0添加)$"
)
_WITHOUT_BEHIND = re.compile(r"^(?:[ -]?(?:free|frei)|less)\b")
_MAY_BE_WITHOUT = re.compile(
    r"\b(?:no|not|non|without|zero|ohne|keine?[nmrs]?|null)\b|free|frei|less\b|0|[不无零未]", re.I
)


class Spoken(NamedTuple):
    """What items say of a phrase: bool (n,) each.

    named: it is in the title or the brand; told: elsewhere; without: that they are without it
    """

    named: BoolArray
    told: BoolArray
    without: BoolArray


class Mentions:
    """Of the items of a replica."""

    def __init__(self, items: ItemTerms, table: ItemTable) -> None:
        self._items = items
        self._table = table

    def rows(self, phrase: str) -> RowArray:
        """Items that have the phrase, word by word, in what search reads of them."""
        terms = self._items.lexicon.analyzer.terms(phrase)
        if not terms:
            return np.zeros(0, np.int64)
        n_rows = min(len(self._table), len(self._items.codes))
        has = self._has(terms, np.arange(n_rows)) & ~self._table.removed[:n_rows]
        rows = np.flatnonzero(has)
        if len(rows) > _MOST_READ:
            return rows
        speaks = [self._speaks_of(terms, row) for row in rows.tolist()]
        speaking: RowArray = rows[np.array(speaks, bool)]
        return speaking

    def among(self, phrase: str, rows: RowArray) -> Spoken:
        """What the items in `rows`, -1 = outside the catalogue, say of the phrase."""
        named, told, without = np.zeros((3, len(rows)), bool)
        analyzer = self._items.lexicon.analyzer
        terms = analyzer.terms(phrase)
        known = np.flatnonzero((rows >= 0) & (rows < len(self._items.codes)))
        places = known[self._has(terms, rows[known])]
        first = self._codes(terms[0]) if len(places) else []
        for place in places.tolist():
            row = int(rows[place])
            fields = self._items.fields[row][np.isin(self._items.codes[row], first)]
            for field in set(fields.tolist()):
                spoken = named if field <= Field.BRAND else told
                for text in self._texts(row, field):
                    if (
                        len(terms) == 1
                        and field != Field.ATTRIBUTES
                        and not _MAY_BE_WITHOUT.search(text)
                    ):
                        spoken[place] = True  # it has the word, and need not be read
                        continue
                    for is_without in said(analyzer, terms, text[:READ]):
                        (without if is_without else spoken)[place] = True
        # Written as one word: "zuckerfrei".
        free = [code for word in ("frei", "free") for code in self._glued(phrase + word)]
        without[known] |= np.isin(self._items.codes[rows[known]], free).any(axis=1)
        return Spoken(named, told, without)

    def _glued(self, word: str) -> list[int]:
        lexicon = self._items.lexicon
        terms = lexicon.analyzer.terms(word)
        return [lexicon.code_of[term] for term in terms if term in lexicon.code_of]

    def _has(self, terms: Sequence[str], rows: RowArray) -> BoolArray:
        """Which of `rows` have all terms, wherever, (n,); none where there is no term."""
        codes = self._items.codes[rows]
        has = np.full(len(rows), bool(terms))
        for term in terms:
            has &= np.isin(codes, self._codes(term)).any(axis=1)
        return has

    def _codes(self, term: str) -> list[int]:
        lexicon = self._items.lexicon
        code = lexicon.code_of.get(term)
        codes = [] if code is None else [code]
        if len(term) == 1 and not term.isascii():  # a character: any pair that has it
            codes += lexicon.pairs_of(term)
        return codes

    def _speaks_of(self, terms: Sequence[str], row: int) -> bool:
        analyzer = self._items.lexicon.analyzer
        return not all(
            is_without
            for field in Field
            for text in self._texts(row, field)
            for is_without in said(analyzer, terms, text)
        )

    def _texts(self, row: int, field: int) -> Iterable[str]:
        """Of a field, as search reads it; both fields of a category are one text."""
        item = self._table.items[row]
        match field:
            case Field.TITLE:
                return (item.title,)
            case Field.BRAND:
                return (item.brand,)
            case Field.LEAF | Field.CATEGORY:
                return (item.category,)
            case Field.ATTRIBUTES:
                return item.attributes.values()
            case Field.PICTURE:
                return (self._items.written(row),)
        return (item.description,)


def said(analyzer: Analyzer, terms: Sequence[str], text: str) -> Iterator[bool]:
    """Of each place of the terms in a text, whether it says there that it is without."""
    return said_in(*analyzer.located(text), terms)


def said_in(
    plain: str, located: Sequence[tuple[str, int, int]], terms: Sequence[str]
) -> Iterator[bool]:
    """The same of a text that was read already (`Analyzer.located`)."""
    if len(terms) == 1 and len(terms[0]) == 1 and not terms[0].isascii():
        places = [(at.start(), at.end()) for at in re.finditer(re.escape(terms[0]), plain)]
    else:
        n = len(terms)
        places = [
            (located[at][1], located[at + n - 1][2])
            for at in range(len(located) - n + 1)
            if all(located[at + k][0] == terms[k] for k in range(n))
        ]
    for start, end in places:
        before, behind = plain[max(start - 40, 0) : start], plain[end : end + 8]
        yield bool(_WITHOUT_BEFORE.search(before) or _WITHOUT_BEHIND.search(behind))
