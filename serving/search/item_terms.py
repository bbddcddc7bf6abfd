"""The terms of each item by row: what a query's words are compared with."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from features.arrays import IntArray, RowArray
from features.catalog.item import Item
from features.catalog.table import ItemTable
from serving.search.analysis import Analyzer, folded
from serving.search.lexicon import Lexicon

WIDTH = 48  # terms kept of an item; a description that goes on says no more
# Attributes that are a code of the item itself: it is found by them alone.
CODE_ATTRIBUTES = ("sku", "ean", "gtin", "upc", "barcode", "mpn", "isbn", "asin", "model")


class Field(IntEnum):
    """Of an item, in the order in which its terms are kept."""

    TITLE = 0
    BRAND = 1
    CATEGORY = 2
    ATTRIBUTES = 3
    DESCRIPTION = 4


N_FIELDS = len(Field)


def field_texts(item: Item) -> tuple[str, ...]:
    """The texts of an item by Field."""
    return (
        item.title,
        item.brand,
        item.category.replace(">", " "),
        " ".join(item.attributes.values()),
        item.description,
    )


class ItemTerms:
    """One thread writes, others read: arrays are replaced when they grow, never shrunk.

    codes: int32 (capacity, WIDTH) terms by field, each once a field, -1 = no more;
    fields: int8 (capacity, WIDTH);
    title: int64 (capacity,), a hash of the title's terms; rows_of_code: by folded id, SKU, barcode
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.codes: IntArray = np.full((0, WIDTH), -1, np.int32)
        self.fields: npt.NDArray[np.int8] = np.zeros((0, WIDTH), np.int8)
        self.titles: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.rows_of_code: dict[str, tuple[int, ...]] = {}
        self._codes_of_row: dict[int, tuple[str, ...]] = {}

    def update(self, rows: RowArray, table: ItemTable) -> list[tuple[int, list[list[str]]]]:
        """Take over new, changed and removed items; returns rows with the terms of each field."""
        self._grow(int(rows.max(initial=-1)) + 1)
        taken = []
        for row in rows.tolist():
            self._forget(row)
            if table.removed[row]:
                continue
            item = table.items[row]
            terms = [self.lexicon.analyzer.terms(text) for text in field_texts(item)]
            self._keep(row, item, terms)
            taken.append((row, terms))
        return taken

    def _keep(self, row: int, item: Item, terms: list[list[str]]) -> None:
        distinct = [
            (term, field) for field, part in enumerate(terms) for term in dict.fromkeys(part)
        ]
        kept = distinct[:WIDTH]
        codes = self.lexicon.codes([term for term, _ in kept])
        self.codes[row, : len(codes)] = codes
        self.fields[row, : len(codes)] = [field for _, field in kept]
        self.titles[row] = title_key(terms[Field.TITLE])
        np.add.at(self.lexicon.frequency, np.unique(codes), 1)
        self.lexicon.n_items += 1
        exact = [item.item_id] + [
            value for name, value in item.attributes.items() if name.casefold() in CODE_ATTRIBUTES
        ]
        names = tuple({folded(name) for name in exact})
        self._codes_of_row[row] = names
        for name in names:
            self.rows_of_code[name] = (*self.rows_of_code.get(name, ()), row)

    def _forget(self, row: int) -> None:
        names = self._codes_of_row.pop(row, None)
        if names is None:
            return
        codes = self.codes[row]
        np.subtract.at(self.lexicon.frequency, np.unique(codes[codes >= 0]), 1)
        self.lexicon.n_items -= 1
        self.codes[row] = -1
        self.titles[row] = 0
        for name in names:
            self.rows_of_code[name] = tuple(r for r in self.rows_of_code[name] if r != row)

    def _grow(self, n_rows: int) -> None:
        n_before = len(self.titles)
        if n_rows <= n_before:
            return
        capacity = max(n_rows, 2 * n_before)
        codes = np.full((capacity, WIDTH), -1, np.int32)
        fields = np.zeros((capacity, WIDTH), np.int8)
        titles = np.zeros(capacity, np.int64)
        codes[:n_before], fields[:n_before], titles[:n_before] = (
            self.codes, self.fields, self.titles,
        )  # fmt: skip
        self.codes, self.fields, self.titles = codes, fields, titles


def title_key(terms: list[str]) -> int:
    """The same for titles of the same terms in the same order; 0 for none."""
    return hash(tuple(terms)) or 1 if terms else 0


def query_key(analyzer: Analyzer, query: str) -> int:
    """What `title_key` is of an item whose title is `query`."""
    return title_key(analyzer.terms(query))
