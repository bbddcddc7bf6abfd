"""Items as columns: what ranking, retrieval and the fold need of the catalogue."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

import numpy as np

from features.arrays import BoolArray, FloatArray, IntArray, RowArray
from features.catalog.category_tree import CategoryTree
from features.catalog.item import CATEGORY_LEVELS, Item, ItemFacts
from features.catalog.prices import Prices
from features.catalog.words import folded, words_in_order

SELLER = "seller"  # the attribute that says who sells an item
MAX_WORDS = 24  # of an item that tastes are learnt from; the rest of its text is not


class ItemTable:
    """The catalogue as columns; a row never changes its item, a removed item keeps its row.

    category: int32 (n, CATEGORY_LEVELS), -1 = no such level; brand: int32 (n,), -1 = none;
    both as the ranker learnt them, by their exact writing (`in_category`, `of_brand`: any depth
    and any capitals); path: int32 (n,) codes of `category_tree`, -1 = none
    seller: int32 (n,) codes of the attribute SELLER, -1 = none; see `of_seller`
    price: float64 (n,), in the shop's currency (prices.py), NaN = unknown; log_price: float64 (n,),
    also NaN for what is free; created_s: float64 (n,), NaN = unknown; available, removed: bool (n,)
    neighbors: int32 (n, k) rows whose interactions speak for the row's item, -1 = none;
    neighbor_weights: float32 (n, k);
    basket_neighbors, basket_neighbor_weights: the same within one basket
    words: int32 (n, MAX_WORDS) codes of the distinct words of title, brand, category,
    attributes and description, in this order, -1 = no more;
    most_words: of any item, at most MAX_WORDS
    word_share: float32 (any,) share of all interactions whose item has the word; the last is 0, as
    it is for words that come later
    """

    def __init__(self, items: Iterable[Item] = (), prices: Prices | None = None) -> None:
        self.prices = prices or Prices()
        self.item_ids: list[str] = []
        self.items: list[Item] = []
        self.row_of: dict[str, int] = {}
        self.facts: dict[str, ItemFacts] = {}
        self.category_code: dict[str, int] = {}
        self.brand_code: dict[str, int] = {}
        self.category_tree = CategoryTree()
        self._brand_writings: dict[str, tuple[int, ...]] = {}  # codes by folded name
        self._seller_code: dict[str, int] = {}  # by folded name
        self.word_code: dict[str, int] = {}
        self.category = np.full((0, CATEGORY_LEVELS), -1, np.int32)
        self.path = np.full(0, -1, np.int32)
        self.brand = np.full(0, -1, np.int32)
        self.seller = np.full(0, -1, np.int32)
        self.words = np.full((0, MAX_WORDS), -1, np.int32)
        self.word_share = np.zeros(1, np.float32)
        self.most_words = 0
        self.price = np.full(0, np.nan)
        self.log_price = np.full(0, np.nan)
        self.created_s = np.full(0, np.nan)
        self.available = np.zeros(0, bool)
        self.removed = np.zeros(0, bool)
        self.neighbors = np.full((0, 0), -1, np.int32)
        self.neighbor_weights = np.zeros((0, 0), np.float32)
        self.basket_neighbors = np.full((0, 0), -1, np.int32)
        self.basket_neighbor_weights = np.zeros((0, 0), np.float32)
        self.upsert(list(items))

    def __len__(self) -> int:
        return len(self.item_ids)

    def upsert(self, items: Sequence[Item]) -> RowArray:
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

    def rows(self, item_ids: Sequence[str]) -> RowArray:
        """Rows of `item_ids`; -1 for an id the catalogue does not know."""
        row_of = self.row_of
        return np.fromiter(map(row_of.get, item_ids, repeat(-1)), np.int64, len(item_ids))

    def in_category(self, rows: RowArray, path: str) -> BoolArray:
        """Which items of `rows` lie in `path` or below it, (n,); a row of -1 lies nowhere.

        A path of any depth; how its names are written in capitals and spaces does not count.
        """
        return self.category_tree.inside(_codes(self.path, rows), path)

    def of_brand(self, rows: RowArray, *brands: str) -> BoolArray:
        """Which items of `rows` are of one of `brands`, (n,), whatever their capitals and spaces.

        A row of -1, or an item without a brand, is of none.
        """
        writings = [self._brand_writings.get(folded(brand), ()) for brand in brands]
        codes = [code for of_one in writings for code in of_one]
        return np.isin(_codes(self.brand, rows), np.array(codes, np.int32))

    def of_seller(self, rows: RowArray, seller: str) -> BoolArray:
        """Which items of `rows` a seller sells, (n,), whatever their capitals and spaces.

        A row of -1, or an item without a seller, is nobody's.
        """
        code = self._seller_code.get(folded(seller))
        if code is None:
            return np.zeros(len(rows), np.bool_)
        own: BoolArray = _codes(self.seller, rows) == code
        return own

    def set_neighbors(
        self,
        neighbors: IntArray,
        weights: FloatArray,
        basket_neighbors: IntArray | None = None,
        basket_neighbor_weights: FloatArray | None = None,
        interaction_counts: FloatArray | None = None,
    ) -> None:
        """Take neighbour tables (behavior/neighbors.py) for the first `len(neighbors)` rows.

        interaction_counts: float32 (n,), of each of these rows.
        """
        self.neighbors, self.neighbor_weights = neighbors, weights
        if basket_neighbors is not None and basket_neighbor_weights is not None:
            self.basket_neighbors = basket_neighbors
            self.basket_neighbor_weights = basket_neighbor_weights
        if interaction_counts is not None:
            self._share_words(interaction_counts)
        self._grow(len(self.item_ids))

    def _share_words(self, interaction_counts: FloatArray) -> None:
        codes = self.words[: len(interaction_counts)]
        known = codes >= 0
        repeated = np.repeat(interaction_counts, known.sum(axis=1))
        counts = np.bincount(codes[known], repeated, len(self.word_code) + 1)
        self.word_share = (counts / max(float(interaction_counts.sum()), 1.0)).astype(np.float32)

    def _write(self, row: int, item: Item) -> None:
        price = self.prices.of(item)
        facts = item.facts(price)
        self.items[row] = item
        self.facts[item.item_id] = facts
        self.category[row] = -1
        for level, name in enumerate(facts.category_levels):
            self.category[row, level] = self.category_code.setdefault(name, len(self.category_code))
        self.path[row] = self.category_tree.add(item.category)
        self.brand[row] = self._brand(item.brand)
        self.seller[row] = self._seller(item.attributes)
        self.words[row] = -1
        text = " ".join((item.ranker_text, *item.attributes.values(), item.description))
        # A word that no item keeps gets no code: long descriptions would fill the table with them.
        kept = words_in_order(text)[:MAX_WORDS]
        codes = [self.word_code.setdefault(word, len(self.word_code)) for word in kept]
        self.most_words = max(self.most_words, len(codes))
        self.words[row, : len(codes)] = codes
        self.price[row] = price
        self.log_price[row] = facts.log_price
        self.created_s[row] = item.created_s
        self.available[row] = item.available
        self.removed[row] = False

    def _brand(self, brand: str) -> int:
        if not brand:
            return -1
        code = self.brand_code.get(brand)
        if code is None:
            code = self.brand_code[brand] = len(self.brand_code)
            name = folded(brand)
            if name:
                self._brand_writings[name] = (*self._brand_writings.get(name, ()), code)
        return code

    def _seller(self, attributes: Mapping[str, str]) -> int:
        named = (folded(value) for name, value in attributes.items() if folded(name) == SELLER)
        name = next(filter(None, named), None)
        if name is None:
            return -1
        return self._seller_code.setdefault(name, len(self._seller_code))

    def _grow(self, n_rows: int) -> None:
        """Arrays at least `n_rows` long; capacity doubles, so that single upserts stay cheap."""
        for name, empty in (
            ("category", -1),
            ("path", -1),
            ("brand", -1),
            ("seller", -1),
            ("words", -1),
            ("price", np.nan),
            ("log_price", np.nan),
            ("created_s", np.nan),
            ("available", False),
            ("removed", False),
            ("neighbors", -1),
            ("neighbor_weights", 0),
            ("basket_neighbors", -1),
            ("basket_neighbor_weights", 0),
        ):
            array = getattr(self, name)
            if len(array) < n_rows:
                shape = (max(n_rows, 2 * len(array)), *array.shape[1:])
                grown = np.full(shape, empty, array.dtype)
                grown[: len(array)] = array
                setattr(self, name, grown)


def _codes(column: IntArray, rows: RowArray) -> IntArray:
    """`column` of `rows`; -1 for a row of -1."""
    known = rows >= 0
    if known.all():
        return column[rows]
    codes = np.full(len(rows), -1, np.int32)
    codes[known] = column[rows[known]]
    return codes
