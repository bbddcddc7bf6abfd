"""BM25 over item titles: the lexical baseline, and the retrieval score of logged searches.

Robertson and Zaragoza, 2009, "The Probabilistic Relevance Framework"; computed by rank-bm25.
"""

import numpy as np
from rank_bm25 import BM25Okapi

from features.arrays import FloatArray, RowArray
from features.catalog.table import ItemTable


class Lexical:
    """BM25 statistics of one catalogue."""

    def __init__(self, items: ItemTable) -> None:
        self._bm25 = BM25Okapi([_words(item.title) for item in items.items])

    def scores(self, query: str, rows: RowArray) -> FloatArray:
        """BM25 of the titles in `rows` for `query`: float32 (n,)."""
        scores = self._bm25.get_batch_scores(_words(query), rows.tolist())
        return np.asarray(scores, np.float32)


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()
