"""How a shopper's state matches items: recency, tastes and the item-to-item tables.

Each function returns columns for the items in `rows`, all of them known; NaN = not known. A state
names items by id; `Past` looks their rows up once, and what is computed from then on is arrays.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress

import numpy as np
import numpy.typing as npt

from features.behavior.fold import BehaviorState
from features.catalog.counters import DAY_S
from features.catalog.item import CATEGORY_LEVELS
from features.catalog.table import ItemTable
from features.catalog.words import words

FloatArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.int64]
WeightArray = npt.NDArray[np.float64]
WORD_DOUBT = 4.0  # takings added to what a shopper has, and should have, of a word
_RECENCY = 0.9  # of a recent item's weight for each newer one


@dataclass(frozen=True, slots=True)
class Past:
    """The items that a state keeps, as rows of the table; -1: the catalogue does not know one.

    recent: int64 (n,), newest first; strengths: float64 (n,)
    bought: int64 (m,), newest last; purchases: float64 (m, 3): times bought, first and last time
    """

    recent: RowArray
    strengths: WeightArray
    bought: RowArray
    purchases: WeightArray

    @staticmethod
    def of(state: BehaviorState | None, items: ItemTable) -> "Past":
        """The items of `state`; none of None."""
        if state is None:
            return NO_PAST
        seen = _numbers(state.recent, 2)
        order = np.argsort(-seen[:, 0], kind="stable")
        return Past(
            items.rows(list(state.recent))[order],
            seen[order, 1],
            items.rows(list(state.bought)),
            _numbers(state.bought, 3),
        )

    @property
    def recent_weights(self) -> WeightArray:
        """How much each recent item speaks for the need of the moment; newer and stronger, more."""
        return self.strengths * _RECENCY ** np.arange(len(self.strengths))

    @property
    def bought_weights(self) -> WeightArray:
        """How much each purchase speaks for what goes with it."""
        return np.log1p(self.purchases[:, 0])

    def taken(self, items: ItemTable) -> tuple[RowArray, WeightArray]:
        """Each known item that was taken or looked at, and how much it says of lasting taste.

        Purchases weigh by their number, and what was only looked at by its strength.
        """
        bought = np.zeros(len(items) + 1, bool)
        bought[self.bought] = True
        looked = ~bought[self.recent]
        rows = np.concatenate([self.recent[looked], self.bought])
        weights = np.concatenate([np.log1p(self.strengths[looked]), self.bought_weights])
        return rows[rows >= 0], weights[rows >= 0]


NO_PAST = Past(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64), np.zeros((0, 3)))


def _numbers(values: Mapping[str, Sequence[float]], width: int) -> WeightArray:
    flat = np.fromiter(chain.from_iterable(values.values()), np.float64, width * len(values))
    return flat.reshape(-1, width)


def recency_rank(past: Past, items: ItemTable, rows: RowArray) -> FloatArray:
    """1 / (1 + rank) of each item among the recent ones, newest first; 0 = not among them."""
    share = np.zeros(len(items) + 1, np.float32)
    share[past.recent] = 1.0 / np.arange(1, len(past.recent) + 1)
    share[-1] = 0.0
    return share[rows]


def purchases_of(past: Past, items: ItemTable, rows: RowArray) -> WeightArray:
    """Times bought, first and last time of each item, (n, 3); 0 and NaN for one never bought."""
    place = np.zeros(len(items) + 1, np.int32)  # 1-based, in the table that begins with "never"
    place[past.bought] = np.arange(1, len(past.bought) + 1)
    table = np.concatenate([_NEVER, past.purchases])
    found: WeightArray = table[place[rows]]
    return found


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


def bought_items(past: Past, now_s: float, at_most: int) -> tuple[RowArray, FloatArray]:
    """The newest purchases of what the catalogue knows, newest first.

    Rows (n,), and float32 (n, 3): times bought, days since the first and the last time.
    """
    newest = np.flatnonzero(past.bought >= 0)[::-1][:at_most]
    values = past.purchases[newest]
    values[:, 1:] = np.maximum(now_s - values[:, 1:], 0.0) / DAY_S
    return past.bought[newest], values.astype(np.float32)


def word_taste(
    items: ItemTable, taken: RowArray, weights: WeightArray, rows: RowArray
) -> tuple[FloatArray, FloatArray]:
    """Sum and mean over the words of each item in `rows` of how much the shopper is drawn to them.

    Of a word: log of what the items `taken`, by their `weights`, hold of it, over what they would
    hold if the shopper took what everybody takes; both with WORD_DOUBT added. A new item has words,
    too. Each (n,); NaN for an item without words, and with no weights.
    """
    total = float(weights.sum())
    if total == 0:
        unknown = np.full(len(rows), np.nan, np.float32)
        return unknown, unknown
    # In this order: a catalogue that grows meanwhile has codes for whatever was read before.
    codes, share = items.words[rows], items.word_share
    size = len(items.word_code)
    no_word = codes < 0
    # Code -1, no word, is counted in the first place, and read from the last, where nothing is.
    held = np.bincount(
        items.words[taken].ravel() + 1, np.repeat(weights, items.words.shape[1]), size + 2
    )[1:]
    usual = np.zeros(size + 1, np.float32)  # 0: words of items newer than the table
    usual[: len(share)] = share
    drawn = np.log((held[codes] + WORD_DOUBT) / (total * usual[codes] + WORD_DOUBT))
    drawn[no_word] = 0.0
    n_words = no_word.shape[1] - no_word.sum(axis=1)
    out = drawn.sum(axis=1).astype(np.float32)
    out[n_words == 0] = np.nan
    return out, out / np.maximum(n_words, 1)


def shared_words(items: ItemTable, query: str, rows: RowArray) -> FloatArray:
    """Share of the distinct words of `query` that each item has, (n,); NaN: it has no words."""
    asked = words(query)
    if not asked:
        return np.full(len(rows), np.nan, np.float32)
    codes = items.words[rows]
    wanted = np.zeros(len(items.word_code) + 1, bool)  # code -1 reads the last: no word
    wanted[[items.word_code[word] for word in asked if word in items.word_code]] = True
    return np.asarray(wanted[codes].sum(axis=1) / len(asked), np.float32)


def neighbor_score(items: ItemTable, taken: RowArray, weights: WeightArray) -> FloatArray:
    """How much the items `taken` speak for each item, float32 (capacity of the table,)."""
    return _spoken_for(_shares(items, [(taken, weights)]), items.neighbors, items.neighbor_weights)[
        :, 0
    ]


def neighbor_columns(
    items: ItemTable, taken: Sequence[tuple[RowArray, WeightArray]], rows: RowArray
) -> tuple[FloatArray, FloatArray]:
    """How much each of `taken`, items and their weights, speaks for the items in `rows`.

    Over histories, and in one basket; each (n, len(taken)). NaN for an item that the table has not
    met: it is new, not unrelated.
    """
    shares = _shares(items, taken)
    out = []
    for sources, weights in (
        (items.neighbors, items.neighbor_weights),
        (items.companions, items.companion_weights),
    ):
        if sources.shape[1] == 0:
            out.append(np.full((len(rows), len(taken)), np.nan, np.float32))
            continue
        own = sources[rows]
        score = _spoken_for(shares, own, weights[rows])
        score[own[:, 0] < 0] = np.nan
        out.append(score)
    return out[0], out[1]


def _shares(items: ItemTable, taken: Sequence[tuple[RowArray, WeightArray]]) -> FloatArray:
    """Weights by row, each column summing to 1: (n_items + 1, len(taken)); -1 reads the last."""
    out = np.zeros((len(items) + 1, len(taken)), np.float32)
    for column, (rows, weights) in enumerate(taken):
        known = rows >= 0
        total = weights[known].sum()
        if total > 0:
            out[rows[known], column] = weights[known] / total
    return out


def _spoken_for(
    shares: FloatArray, sources: npt.NDArray[np.int32], weights: FloatArray
) -> FloatArray:
    """Sum over each row's sources of their shares times their weight in the table, (n, columns)."""
    score: FloatArray = (weights[:, None, :] @ shares[sources])[:, 0]
    return score
