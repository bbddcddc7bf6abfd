"""The catalogue as each replica holds it: columns, behaviour counters, texts as token ids.

Feast reads one row in a third of a millisecond and fifty in four: so shoppers are read from Feast
per request, and items live here, refreshed in the background (docs/adr/0003).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray, RowArray
from features.catalog.counters import ItemCounters
from features.catalog.item import Item, content_key
from features.catalog.prices import Prices
from features.catalog.table import ItemTable
from serving.models.tokenizer import Tokenizer


class ItemCache:
    """Items by row. Written by one refreshing thread, read by others without a lock: arrays grow
    before an id gets its row, they are replaced and never shrunk, and a row that is half new for an
    instant only makes one ranking a little older.

    tokens: int16 (capacity, max_tokens); keys: int64 (capacity,), content keys of the texts
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, prices: Prices | None = None) -> None:
        self.table = ItemTable(prices=prices)
        self.counters = ItemCounters(0)
        self.tokens = np.zeros((0, max_tokens), np.int16)
        self.keys = np.zeros(0, np.int64)
        self._shared: Mapping[str, float] = {}
        self._prior: FloatArray | None = None  # by code of a path; None: nothing is shared
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens

    def upsert(self, items: Sequence[Item]) -> RowArray:
        """Add or replace items; returns their rows."""
        if not items:
            return np.zeros(0, np.int64)
        texts = [item.ranker_text for item in items]
        tokens = self._tokenizer.tokens(texts, self._max_tokens)
        new = {item.item_id for item in items if item.item_id not in self.table.row_of}
        self._reserve(len(self.table) + len(new))
        rows = self.table.upsert(items)
        self.tokens[rows] = 0
        self.tokens[rows, : tokens.shape[1]] = tokens
        self.keys[rows] = [content_key(text) for text in texts]
        if self._prior is not None and len(self._prior) <= len(self.table.category_tree):
            self._prior = self.table.category_tree.spread(self._shared)
        return rows

    def take_prior(self, purchases: Mapping[str, float]) -> None:
        """What an item of a category counts for, by folded path, before it has any purchase itself
        (features/controls/priors.py); empty: nothing. From any thread.
        """
        if purchases == self._shared:
            return
        self._shared = purchases
        self._prior = self.table.category_tree.spread(purchases) if purchases else None

    def prior_of(self, rows: RowArray) -> FloatArray | None:
        """Purchases that items of `rows` count for, float32 (n,), 0 for a row of -1; None: nothing
        is shared with this shop.
        """
        prior = self._prior
        if prior is None:
            return None
        if not len(self.table):
            return np.zeros(len(rows), np.float32)
        codes = self.table.path.take(rows)
        codes[(rows < 0) | (codes >= len(prior))] = -1
        found: FloatArray = prior[codes]
        return found

    def set_counters(
        self,
        rows: RowArray,
        counts: FloatArray,
        at_s: npt.NDArray[np.float64],
        first_s: npt.NDArray[np.float64],
    ) -> None:
        """Take over the behaviour counters of `rows` as ingest wrote them."""
        self.counters.counts[rows] = counts
        self.counters.at_s[rows] = at_s
        self.counters.first_s[rows] = first_s

    def texts_of(self, rows: RowArray) -> tuple[RowArray, npt.NDArray[np.int16]]:
        """Keys (n,) and token ids (n, longest) of `rows`; a row of -1 has no text."""
        known = rows >= 0
        if not known.any():
            return np.zeros(len(rows), np.int64), np.zeros((len(rows), 1), np.int16)
        keys, tokens = self.keys.take(rows), self.tokens.take(rows, axis=0)
        keys[~known], tokens[~known] = 0, 0
        # The text "[PAD]" has token 0 as well, so the last column that is used counts.
        used = np.flatnonzero(tokens.any(axis=0))
        width = int(used[-1]) + 1 if len(used) else 1
        return keys, np.ascontiguousarray(tokens[:, :width])

    def _reserve(self, n_rows: int) -> None:
        """Room for `n_rows` everywhere; a reader must find every array as long as any row."""
        capacity = len(self.keys)
        if n_rows > capacity:
            capacity = max(n_rows, 2 * capacity)
        self.table._grow(capacity)
        if capacity == len(self.keys):
            return
        tokens = np.zeros((capacity, self._max_tokens), np.int16)
        tokens[: len(self.tokens)] = self.tokens
        keys = np.zeros(capacity, np.int64)
        keys[: len(self.keys)] = self.keys
        self.counters.resize(capacity)
        self.tokens, self.keys = tokens, keys


def category_path(category: str) -> str:
    """The catalogue's writing of a category path as somebody typed it: "A>B " is "A > B"."""
    levels = Item("", "", category=category).category_levels
    return levels[-1] if levels else ""
