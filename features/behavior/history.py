"""How a shopper's state matches items: recency, tastes and the item-to-item tables.

Each function returns columns for the items in `rows`, all of them known; NaN = not known. A state
names items by id; `ItemHistory` looks their rows up once, and from then on all is arrays.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress

import numpy as np

from features.arrays import DoubleArray, FloatArray, IntArray, RowArray
from features.behavior.state import BehaviorState
from features.catalog.counters import DAY_S
from features.catalog.item import CATEGORY_LEVELS
from features.catalog.table import ItemTable
from features.catalog.words import words

WORD_DOUBT = 4.0  # interactions added to both sides of a ratio: few of them prove little
_RECENCY = 0.9  # share of its weight that a recent item keeps for each newer one


@dataclass(frozen=True, slots=True)
class ItemHistory:
    """The items that a state keeps, as rows of the table; -1: the catalogue does not know one.

    recent: int64 (n,), newest first; strengths: float64 (n,)
    bought: int64 (m,), newest last; purchases: float64 (m, 3): times bought (less what was
    returned), first and last time
    """

    recent: RowArray
    strengths: DoubleArray
    bought: RowArray
    purchases: DoubleArray

    @staticmethod
    def of(state: BehaviorState | None, items: ItemTable) -> "ItemHistory":
        """The items of `state`; none of None."""
        if state is None:
            return NO_HISTORY
        seen = _numbers(state.recent, 2)
        order = np.argsort(-seen[:, 0], kind="stable")
        return ItemHistory(
            items.rows(list(state.recent))[order],
            seen[order, 1],
            items.rows(list(state.bought)),
            _numbers(state.bought, 4)[:, :3],
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
        bought = np.zeros(len(items) + 1, bool)
        bought[self.bought] = True
        looked = ~bought[self.recent]
        rows = np.concatenate([self.recent[looked], self.bought])
        weights = np.concatenate([np.log1p(self.strengths[looked]), self.bought_weights])
        return rows[rows >= 0], weights[rows >= 0]


NO_HISTORY = ItemHistory(
    np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64), np.zeros((0, 3))
)


def _numbers(values: Mapping[str, Sequence[float]], width: int) -> DoubleArray:
    flat = np.fromiter(chain.from_iterable(values.values()), np.float64, width * len(values))
    return flat.reshape(-1, width)


def recency_rank(history: ItemHistory, items: ItemTable, rows: RowArray) -> FloatArray:
    """1 / (1 + rank) of each item among the recent ones, newest first; 0 = not among them."""
    share = np.zeros(len(items) + 1, np.float32)
    share[history.recent] = 1.0 / np.arange(1, len(history.recent) + 1)
    share[-1] = 0.0
    return share[rows]


def purchases_of(history: ItemHistory, items: ItemTable, rows: RowArray) -> DoubleArray:
    """Times bought, first and last time of each item, (n, 3); 0 and NaN for one never bought."""
    place = np.zeros(
        len(items) + 1, np.int32
    )  # of an item in `table`; 0 = the row of the never bought
    place[history.bought] = np.arange(1, len(history.bought) + 1)
    table = np.concatenate([_NEVER, history.purchases])
    purchases: DoubleArray = table[place[rows]]
    return purchases


_NEVER = np.array([[0.0, math.nan, math.nan]])


def affinities(state: BehaviorState, items: ItemTable, rows: RowArray) -> FloatArray:
    """Category shares by level, brand share, price distance: (n, CATEGORY_LEVELS + 2)."""
    out = np.full((len(rows), CATEGORY_LEVELS + 2), np.nan, np.float32)
    codes = items.category[rows]
    outermost = [" > " not in name for name in state.categories]
    out[:, :CATEGORY_LEVELS] = _by_code(state.categories, items.category_code, outermost)[codes]
    codes = items.brand[rows]
    whole = [True] * len(state.brands)
    out[:, CATEGORY_LEVELS] = _by_code(state.brands, items.brand_code, whole)[codes]
    if state.price_weight > 0:
        mean = state.price_sum / state.price_weight
        variance = max(state.price_square_sum / state.price_weight - mean**2, 0.0)
        out[:, CATEGORY_LEVELS + 1] = (items.log_price[rows] - mean) / math.sqrt(variance + 0.1)
    return out


def _by_code(
    weights: Mapping[str, float], code_of: Mapping[str, int], whole: Sequence[bool]
) -> FloatArray:
    """Shares of the sum of what `whole` marks, by code, (n_codes + 1,); code -1 reads NaN."""
    share = np.zeros(len(code_of) + 1, np.float32)
    positive = [weight if weight > 0 else 0.0 for weight in weights.values()]
    total = sum(compress(positive, whole)) or math.inf
    share[[code_of.get(name, -1) for name in weights]] = np.array(positive) / total
    share[-1] = np.nan
    return share


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
    codes, share = items.words[rows], items.word_share
    size = len(items.word_code)
    no_word = codes < 0
    # bincount takes no -1 (no word): codes are shifted by one, and the count of -1 is cut off. Code
    # -1 then reads the last element, which is 0.
    held = np.bincount(
        items.words[interacted].ravel() + 1, np.repeat(weights, items.words.shape[1]), size + 2
    )[1:]
    usual = np.zeros(size + 1, np.float32)  # 0 for words of items that the tables have not met
    usual[: len(share)] = share
    drawn = np.log((held[codes] + WORD_DOUBT) / (total * usual[codes] + WORD_DOUBT))
    drawn[no_word] = 0.0
    n_words = no_word.shape[1] - no_word.sum(axis=1)
    out = drawn.sum(axis=1).astype(np.float32)
    out[n_words == 0] = np.nan
    return out, out / np.maximum(n_words, 1)


def shared_words(items: ItemTable, query: str, rows: RowArray) -> FloatArray:
    """Share of the distinct words of `query` that each item has, (n,); NaN: it has no words."""
    query_words = words(query)
    if not query_words:
        return np.full(len(rows), np.nan, np.float32)
    codes = items.words[rows]
    wanted = np.zeros(len(items.word_code) + 1, bool)  # code -1 (no word) reads the last: False
    wanted[[items.word_code[word] for word in query_words if word in items.word_code]] = True
    return np.asarray(wanted[codes].sum(axis=1) / len(query_words), np.float32)


def neighbor_score(items: ItemTable, interacted: RowArray, weights: DoubleArray) -> FloatArray:
    """How much the items `interacted` speak for each item, float32 (capacity of the table,)."""
    shares = _shares(items, [(interacted, weights)])
    return _spoken_for(shares, items.neighbors, items.neighbor_weights)[:, 0]


def neighbor_columns(
    items: ItemTable, weighted: Sequence[tuple[RowArray, DoubleArray]], rows: RowArray
) -> tuple[FloatArray, FloatArray]:
    """How much each of `weighted`, items and their weights, speaks for the items in `rows`.

    Over histories, and in one basket; each (n, len(weighted)). NaN for an item that the table has
    not met: it is new, not unrelated.
    """
    shares = _shares(items, weighted)
    out = []
    for sources, weights in (
        (items.neighbors, items.neighbor_weights),
        (items.basket_neighbors, items.basket_neighbor_weights),
    ):
        if sources.shape[1] == 0:
            out.append(np.full((len(rows), len(weighted)), np.nan, np.float32))
            continue
        own = sources[rows]
        score = _spoken_for(shares, own, weights[rows])
        score[own[:, 0] < 0] = np.nan
        out.append(score)
    return out[0], out[1]


def _shares(items: ItemTable, weighted: Sequence[tuple[RowArray, DoubleArray]]) -> FloatArray:
    """Weights by row, each column summing to 1: (n_items + 1, len(weighted)); -1 reads the last."""
    out = np.zeros((len(items) + 1, len(weighted)), np.float32)
    for column, (rows, weights) in enumerate(weighted):
        known = rows >= 0
        total = weights[known].sum()
        if total > 0:
            out[rows[known], column] = weights[known] / total
    return out


def _spoken_for(shares: FloatArray, sources: IntArray, weights: FloatArray) -> FloatArray:
    """Sum over each row's sources of their shares times their weight in the table, (n, columns)."""
    # `take` gathers rows of a few columns in a third of the time of an index.
    score: FloatArray = (weights[:, None, :] @ shares.take(sources, axis=0))[:, 0]
    return score
