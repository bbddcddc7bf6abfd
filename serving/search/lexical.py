"""The lexical index: BM25 over title, brand, category and description, in process."""

import numpy as np
import tantivy

from features.arrays import RowArray
from features.catalog.item import Item
from features.catalog.table import ItemTable
from features.catalog.words import WORD

_FIELDS = ("title", "brand", "category", "description")
_BOOSTS = {"title": 2.0, "description": 0.5}


class LexicalIndex:
    """Rows of the catalogue by the words of their items. One thread writes, others read."""

    def __init__(self) -> None:
        schema = tantivy.SchemaBuilder()
        schema.add_unsigned_field("row", indexed=True, fast=True)
        for field in _FIELDS:
            schema.add_text_field(field, tokenizer_name="en_stem")
        self._index = tantivy.Index(schema.build())
        self._writer = self._index.writer(heap_size=32_000_000, num_threads=1)
        self._indexed: set[int] = set()

    def update(self, rows: RowArray, table: ItemTable) -> None:
        """Index new or changed items; a row that is gone leaves the index."""
        for row in rows.tolist():
            if row in self._indexed:
                # By query: a deletion by term of a number matches nothing (tantivy 0.27).
                self._writer.delete_documents_by_query(
                    tantivy.Query.term_query(self._index.schema, "row", row)
                )
                self._indexed.discard(row)
            if not table.removed[row]:
                self._writer.add_document(_document(row, table.items[row]))
                self._indexed.add(row)
        self._writer.commit()
        self._index.reload()

    def search(self, query: str, depth: int) -> RowArray:
        """The best rows, at most `depth`. Only words are used: its syntax is not ours to run."""
        plain = " ".join(dict.fromkeys(WORD.findall(query.lower())))
        if not plain:
            return np.zeros(0, np.int64)
        parsed, _ = self._index.parse_query_lenient(plain, list(_FIELDS), field_boosts=_BOOSTS)
        searcher = self._index.searcher()
        hits = searcher.search(parsed, limit=depth, count=False).hits
        rows = searcher.fast_field_values("row", [address for _, address in hits])
        return np.array(rows, np.int64)


def _document(row: int, item: Item) -> tantivy.Document:
    document = tantivy.Document()
    document.add_unsigned("row", row)
    document.add_text("title", item.title)
    document.add_text("brand", item.brand)
    document.add_text("category", item.category.replace(">", " "))
    document.add_text("description", item.description)
    return document
