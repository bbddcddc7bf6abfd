"""The lexical index: BM25 over the terms of each field, in process."""

from collections.abc import Iterable, Sequence

import numpy as np
import tantivy

from features.arrays import RowArray
from serving.search.words.item_terms import Field
from serving.search.words.lexicon import Lexicon, QueryTerm

_BOOSTS = {
    Field.TITLE: 2.0,
    Field.BRAND: 1.0,
    Field.LEAF: 1.0,
    Field.CATEGORY: 0.5,
    Field.ATTRIBUTES: 0.7,
    Field.DESCRIPTION: 0.5,
    Field.PICTURE: 0.4,
}
_NAMES = {field: field.name.lower() for field in Field}


class LexicalIndex:
    """Rows of the catalogue by the terms of their items. One thread writes, others read."""

    def __init__(self, lexicon: Lexicon, reads_pictures: bool = False) -> None:
        self._lexicon = lexicon
        asked = (field for field in Field if reads_pictures or field is not Field.PICTURE)
        self._asked = [(_NAMES[field], _BOOSTS[field]) for field in asked]
        schema = tantivy.SchemaBuilder()
        schema.add_unsigned_field("row", indexed=True, fast=True)
        for name in _NAMES.values():
            # Terms come as they are to be kept: the analysis is ours (search/words/analysis.py).
            schema.add_text_field(name, tokenizer_name="whitespace")
        self._schema = schema.build()
        self._index = tantivy.Index(self._schema)
        self._writer = self._index.writer(heap_size=32_000_000, num_threads=1)
        self._indexed: set[int] = set()

    def update(self, rows: RowArray, texts: Iterable[tuple[int, Sequence[Sequence[str]]]]) -> None:
        """Take `rows` out, and put in those of them that have `texts`: terms by field."""
        for row in rows.tolist():
            if row in self._indexed:
                # By query: a deletion by term of a number matches nothing (tantivy 0.27).
                self._writer.delete_documents_by_query(
                    tantivy.Query.term_query(self._schema, "row", row)
                )
                self._indexed.discard(row)
        for row, terms in texts:
            document = tantivy.Document()
            document.add_unsigned("row", row)
            for name, part in zip(_NAMES.values(), terms, strict=True):
                if part:
                    document.add_text(name, " ".join(part))
            self._writer.add_document(document)
            self._indexed.add(row)
        self._writer.commit()
        self._index.reload()

    def search(self, terms: Sequence[QueryTerm], depth: int) -> RowArray:
        """The best rows that have any of `terms`, at most `depth`."""
        queries = [
            tantivy.Query.boost_query(
                tantivy.Query.term_query(self._schema, name, self._lexicon.terms[code]),
                boost * weight,
            )
            for term in terms
            for code, weight in term.meant
            for name, boost in self._asked
        ]
        if not queries:
            return np.zeros(0, np.int64)
        either = tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])
        searcher = self._index.searcher()
        hits = searcher.search(either, limit=depth, count=False).hits
        rows = searcher.fast_field_values("row", [address for _, address in hits])
        return np.array(rows, np.int64)
