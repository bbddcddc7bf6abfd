"""How a shopper's state matches items: recency, tastes and the item-to-item tables.

Each function returns columns for the items in `rows`, all of them known; NaN = not known. A state
names items by id; `ItemHistory` looks their rows up once, and from then on all is arrays.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, repeat
from typing import cast

import numpy as np

from features.arrays import DoubleArray, FloatArray, IntArray, RowArray
from features.behavior.state_rows import AnyState, StateRow
from features.catalog.counters import DAY_S
from features.catalog.item import CATEGORY_LEVELS
from features.catalog.row_values import looked_up, values_by_row
from features.catalog.table import ItemTable
from features.catalog.words import words

WORD_DOUBT = 4.0  # interactions added to both sides of a ratio: few of them prove little
N_AFFINITIES = CATEGORY_LEVELS + 2  # columns: levels, brand, price
_RECENCY = 0.9  # share of its weight that a recent item keeps for each newer one


@dataclass(frozen=True, slots=True)
class ItemHistory:
    """The items that a state keeps, as rows of the table; -1: the catalogue does not know one.

    recent: int64 (n,), newest first; strengths: float64 (n,)
    bought: int64 (m,), newest last; purchases: float64 (m, 3): times bought and kept, first, last
    """

    recent: RowArray
    strengths: DoubleArray
    bought: RowArray
    purchases: DoubleArray

    @staticmethod
    def of(state: AnyState | None, items: ItemTable) -> "ItemHistory":
        """The items of `state`; none of None."""
        if state is None:
            return NO_HISTORY
        row = StateRow.of(state)
        # A row never changes and an item keeps its place, so only new items may say more.
        stamp, kept = (items, len(items)), row.looked_up
        if kept is None or kept[0] != stamp:
            row.looked_up = kept = stamp, ItemHistory._look_up(row, items)
        return cast(ItemHistory, kept[1])

    @staticmethod
    def _look_up(row: StateRow, items: ItemTable) -> "ItemHistory":
        last_s, strengths = row.numbers("recent_values")
        order = np.argsort(-last_s, kind="stable")
        return ItemHistory(
            items.rows(row.names("recent_items"))[order],
            strengths[order],
            items.rows(row.names("bought_items")),
            row.numbers("bought_values")[:3].T,
        )

    @property
    def recent_weights(self) -> DoubleArray:
        """How much each recent item speaks for the need of the moment; newer and stronger, more."""
        return self.strengths * _RECENCY ** np.arange(len(self.strengths))

    @property
    def bought_weights(self) -> DoubleArray:
        """How much each purchase speaks for what goes with it."""
        return np.log1p(self.purchases[:, 0])

    def interactions(self, items: ItemTable) -> tuple[RowArray, DoubleArray]:
        """The known items of the history, and how much each says of lasting taste: rows, weights.

        Purchases weigh by their number, and what was only looked at by its strength.
        """
        bought = looked_up(len(items), self.bought, np.ones(len(self.bought)), self.recent) > 0
        rows = np.concatenate([self.recent, self.bought])
        weights = np.log1p(np.concatenate([self.strengths, self.purchases[:, 0]]))
        known = rows >= 0
        known[: len(bought)] &= ~bought
        return rows[known], weights[known]


NO_HISTORY = ItemHistory(
    np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64), np.zeros((0, 3))
)


def recency_rank(history: ItemHistory, items: ItemTable, rows: RowArray) -> FloatArray:
    """1 / (1 + rank) of each item among the recent ones, newest first; 0 = not among them."""
    share = 1.0 / np.arange(1, len(history.recent) + 1)
    return looked_up(len(items), history.recent, share, rows)


def purchases_of(history: ItemHistory, items: ItemTable, rows: RowArray) -> DoubleArray:
    """Times bought, first and last time of each item, (n, 3); 0 and NaN for one never bought."""
    places = np.arange(1, len(history.bought) + 1)
    places = looked_up(len(items), history.bought, places, rows).astype(np.int64)
    return np.concatenate([_NEVER, history.purchases]).take(places, axis=0)


_NEVER = np.array([[0.0, math.nan, math.nan]])


def affinities(states: Sequence[AnyState], items: ItemTable, rows: RowArray) -> FloatArray:
    """Category shares by level, brand share, price distance: (n, len(states), N_AFFINITIES)."""
    out = np.full((len(rows), len(states), N_AFFINITIES), np.nan, np.float32)
    # Codes are read first: a catalogue that grows meanwhile only adds some.
    categories, brands = items.category.take(rows, axis=0), items.brand.take(rows)
    log_price = items.log_price.take(rows)
    kept = [StateRow.of(state) for state in states]
    shares = _by_code([_category_shares(row) for row in kept], items.category_code)
    out[:, :, :CATEGORY_LEVELS] = shares.take(categories, axis=0).swapaxes(1, 2)
    shares = _by_code([_brand_shares(row) for row in kept], items.brand_code)
    out[:, :, CATEGORY_LEVELS] = shares.take(brands, axis=0)
    for place, row in enumerate(kept):
        if row.price_weight > 0:
            mean = row.price_sum / row.price_weight
            variance = max(row.price_square_sum / row.price_weight - mean**2, 0.0)
            out[:, place, -1] = (log_price - mean) / math.sqrt(variance + 0.1)
    return out


def _category_shares(row: StateRow) -> tuple[Sequence[str], DoubleArray]:
    """Names, and their shares of what the outermost ones have together."""
    names, weights = row.names("categories"), np.maximum(row.numbers("category_weights")[0], 0.0)
    outermost = [" > " not in name for name in names]
    return names, weights / (sum(compress(weights.tolist(), outermost)) or math.inf)


def _brand_shares(row: StateRow) -> tuple[Sequence[str], DoubleArray]:
    weights = np.maximum(row.numbers("brand_weights")[0], 0.0)
    return row.names("brands"), weights / (weights.sum() or math.inf)


def _by_code(
    columns: Sequence[tuple[Sequence[str], DoubleArray]], code_of: Mapping[str, int]
) -> FloatArray:
    """A column each of shares by code, (n_codes + 1, len(columns)); code -1 reads NaN."""
    codes = [
        np.fromiter(map(code_of.get, names, repeat(-1)), np.int64, len(names))
        for names, _ in columns
    ]
    by_code = np.zeros((len(code_of) + 1, len(columns)), np.float32)
    for column, (_, shares) in enumerate(columns):
        by_code[codes[column], column] = shares
    by_code[-1] = np.nan
    return by_code


def bought_items(history: ItemHistory, now_s: float, at_most: int) -> tuple[RowArray, FloatArray]:
    """The newest purchases of what the catalogue knows, newest first.

    Rows (n,), and float32 (n, 3): times bought, days since the first and the last time.
    """
    newest = np.flatnonzero(history.bought >= 0)[::-1][:at_most]
    values = history.purchases[newest]
    values[:, 1:] = np.maximum(now_s - values[:, 1:], 0.0) / DAY_S
    return history.bought[newest], values.astype(np.float32)


def word_taste(
    items: ItemTable, interacted: RowArray, weights: DoubleArray, rows: RowArray
) -> tuple[FloatArray, FloatArray]:
    """Sum and mean over the words of each item in `rows` of how much the shopper is drawn to them.

    Of a word: log of what the items `interacted`, by their `weights`, hold of it, over what they
    would hold if the shopper took what everybody takes; both with WORD_DOUBT added. A new item has
    words, too. Each (n,); NaN for an item without words, and with no weights.
    """
    total = float(weights.sum())
    if total == 0:
        unknown = np.full(len(rows), np.nan, np.float32)
        return unknown, unknown
    # The number of words is read last: a catalogue that grows meanwhile only adds codes.
    taken, codes = items.words.take(interacted, axis=0), items.words.take(rows, axis=0)
    size, width = len(items.word_code), items.most_words
    taken, codes = taken[:, :width], codes[:, :width]
    no_word = codes < 0
    # bincount takes no -1 (no word): codes are shifted by one, and the count of -1 is cut off. Code
    # -1 then reads the last element, which is 0.
    held = np.bincount(taken.ravel() + 1, np.repeat(weights, width), size + 2)[1:]
    # 0 for words of items that the tables have not met, whose codes are beyond the others.
    usual = items.word_share.take(codes, mode="clip")
    drawn = np.log((held.take(codes) + WORD_DOUBT) / (total * usual + WORD_DOUBT))
    drawn[no_word] = 0.0
    n_words = width - no_word.sum(axis=1)
    out = drawn.sum(axis=1).astype(np.float32)
    out[n_words == 0] = np.nan
    return out, out / np.maximum(n_words, 1)


def shared_words(items: ItemTable, query: str, rows: RowArray) -> FloatArray:
    """Share of the distinct words of `query` that each item has, (n,); NaN: it has no words."""
    query_words = words(query)
    if not query_words:
        return np.full(len(rows), np.nan, np.float32)
    codes = items.words.take(rows, axis=0)
    known = [items.word_code[word] for word in query_words if word in items.word_code]
    found = np.zeros(len(rows), np.int64)
    for code in known:
        found += (codes == code).any(axis=1)
    return np.asarray(found / len(query_words), np.float32)


def neighbor_score(items: ItemTable, interacted: RowArray, weights: DoubleArray) -> FloatArray:
    """How much the items `interacted` speak for each item, float32 (capacity of the table,)."""
    with values_by_row(len(items), [_shares(interacted, weights)]) as shares:
        return _spoken_for(shares, items.neighbors, items.neighbor_weights)[:, 0]


def neighbor_columns(
    items: ItemTable, weighted: Sequence[tuple[RowArray, DoubleArray]], rows: RowArray
) -> tuple[FloatArray, FloatArray]:
    """How much each of `weighted`, items and their weights, speaks for the items in `rows`.

    Over histories, and in one basket; each (n, len(weighted)). NaN for an item that the table has
    not met: it is new, not unrelated.
    """
    out = []
    with values_by_row(len(items), [_shares(*each) for each in weighted]) as shares:
        for sources, weights in (
            (items.neighbors, items.neighbor_weights),
            (items.basket_neighbors, items.basket_neighbor_weights),
        ):
            if sources.shape[1] == 0:
                out.append(np.full((len(rows), len(weighted)), np.nan, np.float32))
                continue
            own = sources.take(rows, axis=0)
            score = _spoken_for(shares, own, weights.take(rows, axis=0))
            score[own[:, 0] < 0] = np.nan
            out.append(score)
    return out[0], out[1]


def _shares(rows: RowArray, weights: DoubleArray) -> tuple[RowArray, DoubleArray]:
    """The rows that are known, and the share of each in their weights."""
    known = rows >= 0
    rows, weights = rows[known], weights[known]
    return rows, weights / (weights.sum() or math.inf)


def _spoken_for(shares: FloatArray, sources: IntArray, weights: FloatArray) -> FloatArray:
    """Sum over each row's sources of their shares times their weight in the table, (n, columns)."""
    # `take` gathers rows of a few columns in a third of the time of an index.
    score: FloatArray = (weights[:, None, :] @ shares.take(sources, axis=0))[:, 0]
    return score
