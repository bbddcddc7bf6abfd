"""The terms of each item by row: what a query's words are compared with."""

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from features.arrays import IntArray, RowArray
from features.catalog.item import Item
from features.catalog.table import ItemTable
from features.catalog.words import folded
from serving.search.words.analysis import Analyzer
from serving.search.words.lexicon import Lexicon

WIDTH = 48  # terms kept of an item; a description that goes on says no more
PICTURE_WIDTH = 64  # the same of what is written on its picture, beside these
# Attributes that are a code of the item itself: it is found by them alone.
CODE_ATTRIBUTES = frozenset(
    {"sku", "ean", "gtin", "upc", "barcode", "mpn", "isbn", "asin", "model", "model_number"}
)


_MOST_OF_CODE = 20  # items: what more of them share ("N/A") is no code of theirs


class Field(IntEnum):
    """Of an item, in the order in which its terms are kept."""

    TITLE = 0
    BRAND = 1
    LEAF = 2  # the last level of the category
    CATEGORY = 3  # the levels above it
    ATTRIBUTES = 4
    DESCRIPTION = 5
    PICTURE = 6  # what is written there, where that is read


N_FIELDS = len(Field)
FieldTerms = tuple[list[str], ...]  # by Field


class ItemTerms:
    """One thread writes, others read: arrays are replaced when they grow, never shrunk.

    codes: int32 (capacity, width) terms by field, each once a field, -1 = no more;
    fields: int8 (capacity, width); titles: int64 (capacity,), `title_key` of each, 0 = none
    """

    def __init__(self, lexicon: Lexicon, reads_pictures: bool = False) -> None:
        """reads_pictures: whether what is written on pictures is taken (`take_written`)."""
        self.lexicon = lexicon
        width = WIDTH + PICTURE_WIDTH if reads_pictures else WIDTH
        self.codes: IntArray = np.full((0, width), -1, np.int32)
        self.fields: npt.NDArray[np.int8] = np.zeros((0, width), np.int8)
        self._written: dict[int, str] = {}  # on the picture of a row's item
        self.titles: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._rows_of_name: dict[str, dict[int, None]] = {}
        self._names_of_row: dict[int, tuple[str, ...]] = {}
        # Brands and categories recur from item to item.
        self._recurring = lru_cache(16_384)(lexicon.analyzer.terms)

    def take_written(self, rows: RowArray, texts: Sequence[str]) -> None:
        """What is written on the pictures of `rows`, "" = nothing; counts from `update` on."""
        for row, text in zip(rows.tolist(), texts, strict=True):
            if text:
                self._written[row] = text
            else:
                self._written.pop(row, None)

    def written(self, row: int) -> str:
        """What is written on the picture of a row's item; "" = nothing."""
        return self._written.get(row, "")

    def update(self, rows: RowArray, table: ItemTable) -> list[tuple[int, FieldTerms]]:
        """Take over new, changed and removed items; returns those that are there, with terms.

        Row by row: an item of the batch is never without its terms meanwhile.
        """
        self._grow(int(rows.max(initial=-1)) + 1)
        present = [row for row in rows.tolist() if not table.removed[row]]
        taken = [(row, self._terms(table.items[row], self.written(row))) for row in present]
        before = self.codes[rows]  # a copy; of new rows nothing but -1
        n_before = sum(row in self._names_of_row for row in rows.tolist())
        for row, terms in taken:
            self._keep(row, table.items[row], terms)
        self.lexicon.count(self.codes[present], len(present))
        gone = np.setdiff1d(rows, present)
        for row in gone.tolist():
            self._rename(row, ())
        self.codes[gone], self.titles[gone] = -1, 0
        self.lexicon.count(before, -n_before)
        return taken

    def rows_of_code(self, code: str) -> RowArray:
        """Rows of the items whose id, SKU or barcode is `code`; none where it tells none apart."""
        rows = list(self._rows_of_name.get(folded(code), ()))
        return np.array(rows if len(rows) <= _MOST_OF_CODE else (), np.int64)

    def _terms(self, item: Item, written: str) -> FieldTerms:
        terms = self.lexicon.analyzer.terms
        attributes = " ".join(item.attributes.values())
        above, _, leaf = item.category.rpartition(">")
        return (
            terms(item.title, True),
            self._recurring(item.brand, True),
            self._recurring(leaf, True),
            self._recurring(above.replace(">", " "), True),
            terms(attributes, True) if attributes else [],
            terms(item.description, True) if item.description else [],
            terms(written) if written else [],  # what may be misread is not learnt from
        )

    def _keep(self, row: int, item: Item, terms: FieldTerms) -> None:
        distinct = [
            (term, field)
            for field, part in enumerate(terms[: Field.PICTURE])
            for term in dict.fromkeys(part)
        ][:WIDTH]
        told = self.lexicon.codes([term for term, _ in distinct])
        seen = list(dict.fromkeys(terms[Field.PICTURE]))[:PICTURE_WIDTH]
        codes, fields = np.full_like(self.codes[row], -1), np.zeros_like(self.fields[row])
        codes[: len(told)] = told
        fields[: len(told)] = [field for _, field in distinct]
        if seen:
            codes[len(told) : len(told) + len(seen)] = self.lexicon.codes(seen, sure=False)
            fields[len(told) : len(told) + len(seen)] = Field.PICTURE
        self.codes[row], self.fields[row] = codes, fields
        self.titles[row] = title_key(terms[Field.TITLE])
        attributes = item.attributes.items()
        given = [value for name, value in attributes if name.casefold() in CODE_ATTRIBUTES]
        # A product of several variants has a code of each, with commas between.
        exact = [
            name for each in given for code in (each, *each.split(",")) if (name := code.strip())
        ]
        self._rename(row, tuple({folded(name) for name in (item.item_id, *exact)}))

    def _rename(self, row: int, names: tuple[str, ...]) -> None:
        for name in names:
            self._rows_of_name.setdefault(name, {})[row] = None
        for name in self._names_of_row.pop(row, ()):
            if name not in names:
                del self._rows_of_name[name][row]
                if not self._rows_of_name[name]:
                    del self._rows_of_name[name]
        if names:
            self._names_of_row[row] = names

    def _grow(self, n_rows: int) -> None:
        n_before = len(self.titles)
        if n_rows <= n_before:
            return
        capacity = max(n_rows, 2 * n_before)
        codes = np.full((capacity, self.codes.shape[1]), -1, np.int32)
        fields = np.zeros(codes.shape, np.int8)
        titles = np.zeros(capacity, np.int64)
        codes[:n_before], fields[:n_before] = self.codes, self.fields
        titles[:n_before] = self.titles
        self.codes, self.fields, self.titles = codes, fields, titles


def title_key(terms: list[str]) -> int:
    """The same for titles of the same terms in the same order; 0 for none."""
    return hash(tuple(terms)) or 1 if terms else 0


def query_key(analyzer: Analyzer, query: str) -> int:
    """What `title_key` is of an item whose title is `query`; -1, which no title has, for none."""
    return title_key(analyzer.terms(query)) or -1
