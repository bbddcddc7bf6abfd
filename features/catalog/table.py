"""Items as columns: what ranking, retrieval and the fold need of the catalogue."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from features.catalog.item import CATEGORY_LEVELS, Item, ItemFacts
from features.catalog.words import words_in_order

MAX_WORDS = 24  # of an item that taste is told by


class ItemTable:
    """The catalogue as columns; a row never changes its item, a removed item keeps its row.

    category: int32 (n, CATEGORY_LEVELS), -1 = no such level; brand: int32 (n,), -1 = none
    log_price, created_s: float64 (n,), NaN = unknown; available, removed: bool (n,)
    neighbors: int32 (n, k) rows whose taking speaks for the row's item, -1 = none;
    neighbor_weights: float32 (n, k); companions and companion_weights: the same within one basket
    words: int32 (n, MAX_WORDS) codes of the distinct words of title, brand, category,
    attributes and description, in this order, -1 = no more;
    word_share: float32 (n_words,) share of all that was taken that has the word in its text
    """

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self.item_ids: list[str] = []
        self.items: list[Item] = []
        self.row_of: dict[str, int] = {}
        self.facts: dict[str, ItemFacts] = {}
        self.category_code: dict[str, int] = {}
        self.brand_code: dict[str, int] = {}
        self.word_code: dict[str, int] = {}
        self.category = np.full((0, CATEGORY_LEVELS), -1, np.int32)
        self.brand = np.full(0, -1, np.int32)
        self.words = np.full((0, MAX_WORDS), -1, np.int32)
        self.word_share = np.zeros(0, np.float32)
        self.log_price = np.full(0, np.nan)
        self.created_s = np.full(0, np.nan)
        self.available = np.zeros(0, bool)
        self.removed = np.zeros(0, bool)
        self.neighbors = np.full((0, 0), -1, np.int32)
        self.neighbor_weights = np.zeros((0, 0), np.float32)
        self.companions = np.full((0, 0), -1, np.int32)
        self.companion_weights = np.zeros((0, 0), np.float32)
        self.upsert(list(items))

    def __len__(self) -> int:
        return len(self.item_ids)

    def upsert(self, items: Sequence[Item]) -> npt.NDArray[np.int64]:
        """Add or replace items; returns their rows."""
        for item in items:
            if item.item_id not in self.row_of:
                self.row_of[item.item_id] = len(self.item_ids)
                self.item_ids.append(item.item_id)
                self.items.append(item)
        self._grow(len(self.item_ids))
        rows = np.array([self.row_of[item.item_id] for item in items], np.int64)
        for row, item in zip(rows.tolist(), items, strict=True):
            self._write(row, item)
        return rows

    def remove(self, item_id: str) -> bool:
        """Mark an item as gone for good; False when it was not there."""
        row = self.row_of.get(item_id)
        if row is None or self.removed[row]:
            return False
        self.removed[row] = True
        return True

    def rows(self, item_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """Rows of `item_ids`; -1 for an id the catalogue does not know."""
        row_of = self.row_of
        return np.array([row_of.get(item_id, -1) for item_id in item_ids], np.int64)

    def set_neighbors(
        self,
        neighbors: npt.NDArray[np.int32],
        weights: npt.NDArray[np.float32],
        companions: npt.NDArray[np.int32] | None = None,
        companion_weights: npt.NDArray[np.float32] | None = None,
        taken: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """Take neighbour tables (behavior/neighbors.py) for the first `len(neighbors)` rows.

        taken: float32 (n,) how often each of these rows was taken.
        """
        self.neighbors, self.neighbor_weights = neighbors, weights
        if companions is not None and companion_weights is not None:
            self.companions, self.companion_weights = companions, companion_weights
        if taken is not None:
            self._share_words(taken)
        self._grow(len(self.item_ids))

    def _share_words(self, taken: npt.NDArray[np.float32]) -> None:
        codes = self.words[: len(taken)]
        known = codes >= 0
        counts = np.bincount(codes[known], np.repeat(taken, known.sum(axis=1)), len(self.word_code))
        self.word_share = (counts / max(float(taken.sum()), 1.0)).astype(np.float32)

    def _write(self, row: int, item: Item) -> None:
        facts = item.facts
        self.items[row] = item
        self.facts[item.item_id] = facts
        self.category[row] = -1
        for level, name in enumerate(facts.category_levels):
            self.category[row, level] = self.category_code.setdefault(name, len(self.category_code))
        self.brand[row] = (
            self.brand_code.setdefault(item.brand, len(self.brand_code)) if item.brand else -1
        )
        self.words[row] = -1
        text = " ".join((item.ranker_text, *item.attributes.values(), item.description))
        # A word that no item keeps gets no code: long descriptions would fill the table with them.
        kept = words_in_order(text)[:MAX_WORDS]
        codes = [self.word_code.setdefault(word, len(self.word_code)) for word in kept]
        self.words[row, : len(codes)] = codes
        self.log_price[row] = facts.log_price
        self.created_s[row] = item.created_s
        self.available[row] = item.available
        self.removed[row] = False

    def _grow(self, n_rows: int) -> None:
        """Arrays at least `n_rows` long; capacity doubles, so that single upserts stay cheap."""
        for name, empty in (
            ("category", -1),
            ("brand", -1),
            ("words", -1),
            ("log_price", np.nan),
            ("created_s", np.nan),
            ("available", False),
            ("removed", False),
            ("neighbors", -1),
            ("neighbor_weights", 0),
            ("companions", -1),
            ("companion_weights", 0),
        ):
            array = getattr(self, name)
            if len(array) < n_rows:
                shape = (max(n_rows, 2 * len(array)), *array.shape[1:])
                grown = np.full(shape, empty, array.dtype)
                grown[: len(array)] = array
                setattr(self, name, grown)
