"""Which items speak of a thing, and do not say that they are without it."""

import re
from collections.abc import Sequence

import numpy as np

from features.arrays import RowArray
from features.catalog.item import Item
from features.catalog.table import ItemTable
from serving.search.words.item_terms import ItemTerms

_MOST_READ = 5_000  # items: of what more of them speak of, "sugar free" is not told from "sugar"
_WITHOUT_BEFORE = re.compile(
    r"(?:\b(?:no|not|non|without|zero|free of|free from|ohne|keine?[nmrs]?|frei von|null)[ -]"
    r"(?:added |any |artificial |zusatz von )?(?:[\w-]+,? (?:or|and|oder|und|&) )?|(?<!\d)0 ?%? ?"
    r"|不含|无|不加|零|未添加|0添加)$"
)
_WITHOUT_BEHIND = re.compile(r"^(?:[ -]?(?:free|frei)|less)\b")


class Mentions:
    """Of the items of a replica."""

    def __init__(self, items: ItemTerms, table: ItemTable) -> None:
        self._items = items
        self._table = table

    def rows(self, phrase: str) -> RowArray:
        """Items that have the phrase, word by word, in what search reads of them."""
        lexicon = self._items.lexicon
        terms = lexicon.analyzer.terms(phrase)
        if not terms:
            return np.zeros(0, np.int64)
        n_rows = min(len(self._table), len(self._items.codes))
        codes = self._items.codes[:n_rows]
        has = ~self._table.removed[:n_rows]
        for term in terms:
            has &= np.isin(codes, self._codes(term)).any(axis=1)
        rows = np.flatnonzero(has)
        if len(rows) > _MOST_READ:
            return rows
        speaks = [self._speaks_of(terms, self._table.items[row]) for row in rows.tolist()]
        speaking: RowArray = rows[np.array(speaks, bool)]
        return speaking

    def _codes(self, term: str) -> list[int]:
        lexicon = self._items.lexicon
        code = lexicon.code_of.get(term)
        codes = [] if code is None else [code]
        if len(term) == 1 and not term.isascii():  # a character: any pair that has it
            codes += [at for other, at in list(lexicon.code_of.items()) if term in other]
        return codes

    def _speaks_of(self, terms: Sequence[str], item: Item) -> bool:
        parts = (item.title, item.brand, item.category, *item.attributes.values(), item.description)
        return any(self._says(terms, part) for part in parts if part)

    def _says(self, terms: Sequence[str], text: str) -> bool:
        plain, located = self._items.lexicon.analyzer.located(text)
        if len(terms) == 1 and len(terms[0]) == 1 and not terms[0].isascii():
            places = [(at.start(), at.end()) for at in re.finditer(re.escape(terms[0]), plain)]
        else:
            n = len(terms)
            places = [
                (located[at][1], located[at + n - 1][2])
                for at in range(len(located) - n + 1)
                if all(located[at + k][0] == terms[k] for k in range(n))
            ]
        return any(
            not _WITHOUT_BEFORE.search(plain[max(start - 40, 0) : start])
            and not _WITHOUT_BEHIND.search(plain[end : end + 8])
            for start, end in places
        )
