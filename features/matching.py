"""How a shopper's state matches items: recency, tastes and the item-to-item tables.

Each function writes or returns columns for the items in `rows`; NaN = not known.
"""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from features.aggregate import DAY_S, BehaviorState
from features.catalog import CATEGORY_LEVELS, ItemTable, words

FloatArray = npt.NDArray[np.float32]
WORD_DOUBT = 4.0  # takings added to what a shopper has, and should have, of a word


def recency_rank(
    out: FloatArray,
    column: int,
    at: npt.NDArray[np.int64],
    place: Mapping[int, int],
    state: BehaviorState,
    items: ItemTable,
) -> None:
    """1 / (1 + rank) of the candidate among the recent items, newest first; 0 = not among them."""
    out[at, column] = 0.0
    newest = sorted(state.recent, key=lambda item_id: state.recent[item_id][0], reverse=True)
    for rank, item_id in enumerate(newest):
        i = place.get(items.row_of.get(item_id, -1))
        if i is not None:
            out[i, column] = 1.0 / (1 + rank)


def affinities(
    out: FloatArray,
    column: int,
    at: npt.NDArray[np.int64],
    state: BehaviorState,
    items: ItemTable,
    rows: npt.NDArray[np.int64],
) -> None:
    """Category shares by level, brand share, price distance: CATEGORY_LEVELS + 2 columns."""
    mass = (
        sum(max(weight, 0.0) for name, weight in state.categories.items() if " > " not in name)
        or math.inf
    )
    share = _by_code(state.categories, items.category_code, mass)
    for level in range(CATEGORY_LEVELS):
        codes = items.category[rows, level]
        out[at, column + level] = np.where(codes >= 0, share[codes], np.nan)
    mass = sum(max(weight, 0.0) for weight in state.brands.values()) or math.inf
    codes = items.brand[rows]
    brand = _by_code(state.brands, items.brand_code, mass)
    out[at, column + CATEGORY_LEVELS] = np.where(codes >= 0, brand[codes], np.nan)
    if state.price_weight > 0:
        mean = state.price_sum / state.price_weight
        variance = max(state.price_square_sum / state.price_weight - mean**2, 0.0)
        out[at, column + CATEGORY_LEVELS + 1] = (items.log_price[rows] - mean) / math.sqrt(
            variance + 0.1
        )


def _by_code(
    weights: Mapping[str, float], code_of: Mapping[str, int], mass: float
) -> npt.NDArray[np.float32]:
    """Shares by code, float32 (n_codes + 1,); the extra last entry is what code -1 reads."""
    share = np.zeros(len(code_of) + 1, np.float32)
    codes = [code_of.get(name, -1) for name in weights]
    share[codes] = np.maximum(np.fromiter(weights.values(), np.float64, len(codes)), 0.0) / mass
    share[-1] = 0.0
    return share


def recent_weights(state: BehaviorState) -> dict[str, float]:
    """How much each recent item speaks for the need of the moment; newer and stronger, more."""
    newest = sorted(state.recent.items(), key=lambda entry: entry[1][0], reverse=True)
    return {item_id: strength * 0.9**rank for rank, (item_id, (_, strength)) in enumerate(newest)}


def bought_items(
    state: BehaviorState | None, items: ItemTable, now_s: float, at_most: int
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """The newest purchases of what the catalogue knows, newest first.

    Rows (n,), and float32 (n, 3): times bought, days since the first and the last time.
    """
    bought = state.bought if state is not None else {}
    newest = list(bought)[::-1]
    rows = items.rows(newest)
    known = np.flatnonzero(rows >= 0)[:at_most]
    values = np.array([bought[newest[i]] for i in known.tolist()], np.float64).reshape(-1, 3)
    values[:, 1:] = np.maximum(now_s - values[:, 1:], 0.0) / DAY_S
    return rows[known], values.astype(np.float32)


def taken_weights(state: BehaviorState) -> dict[str, float]:
    """How much each item that was taken or looked at says of lasting taste."""
    weights = {item_id: math.log1p(strength) for item_id, (_, strength) in state.recent.items()}
    for item_id, (count, _, _) in state.bought.items():
        weights[item_id] = math.log1p(count)
    return weights


def word_taste(
    items: ItemTable, weights: Mapping[str, float], rows: npt.NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Sum and mean over the words of each item in `rows` of how much the shopper is drawn to them.

    Of a word: log of what the items of `weights` hold of it, over what they would hold if the
    shopper took what everybody takes; both with WORD_DOUBT added. A new item has words, too.
    Each (n,); NaN for an item without words, and with no weights.
    """
    rows_of = items.rows(list(weights))
    weight = np.fromiter(weights.values(), np.float64, len(weights))
    weight, rows_of = weight[rows_of >= 0], rows_of[rows_of >= 0]
    codes = items.words[rows]
    n_words = (codes >= 0).sum(axis=1)
    total = float(weight.sum())
    if total == 0:
        unknown = np.full(len(rows), np.nan, np.float32)
        return unknown, unknown
    size = len(items.word_code)
    taken = items.words[rows_of]
    # Code -1, no word, is counted in the extra last place, and read from there.
    held = np.bincount(taken.ravel() % (size + 1), np.repeat(weight, taken.shape[1]), size + 1)
    usual = np.zeros(codes.shape, np.float32)
    counted = (codes >= 0) & (codes < len(items.word_share))  # not: words of newer items
    usual[counted] = items.word_share[codes[counted]]
    drawn = np.log((held[codes] + WORD_DOUBT) / (total * usual + WORD_DOUBT))
    drawn[codes < 0] = 0.0
    out = drawn.sum(axis=1).astype(np.float32)
    out[n_words == 0] = np.nan
    return out, out / np.maximum(n_words, 1)


def shared_words(items: ItemTable, query: str, rows: npt.NDArray[np.int64]) -> FloatArray:
    """Share of the distinct words of `query` that each item has, (n,); NaN: it has no words."""
    asked = words(query)
    if not asked:
        return np.full(len(rows), np.nan, np.float32)
    codes = [items.word_code[word] for word in asked if word in items.word_code]
    found = np.isin(items.words[rows], codes).sum(axis=1)
    return np.asarray(found / len(asked), np.float32)


def neighbor_score(items: ItemTable, weights: Mapping[str, float]) -> FloatArray:
    """How much the items of `weights` speak for each item, float32 (capacity of the table,)."""
    return _spoken_for(_shares(items, weights), items.neighbors, items.neighbor_weights)


def neighbor_columns(
    items: ItemTable, weights: Mapping[str, float], rows: npt.NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """How much the items of `weights` speak for those in `rows`: over histories, in one basket.

    Each (n,); NaN for an item that the table has not met: it is new, not unrelated.
    """
    shares = _shares(items, weights)
    out = []
    for sources, source_weights in (
        (items.neighbors, items.neighbor_weights),
        (items.companions, items.companion_weights),
    ):
        if sources.shape[1] == 0:
            out.append(np.full(len(rows), np.nan, np.float32))
            continue
        own = sources[rows]
        score = _spoken_for(shares, own, source_weights[rows])
        score[own[:, 0] < 0] = np.nan
        out.append(score)
    return out[0], out[1]


def _shares(items: ItemTable, weights: Mapping[str, float]) -> FloatArray:
    """`weights` by row, summing to 1, float32 (n_items + 1,); the last entry is what -1 reads."""
    out = np.zeros(len(items) + 1, np.float32)
    row_of = items.row_of
    rows = [row_of.get(item_id, -1) for item_id in weights]
    out[rows] = np.fromiter(weights.values(), np.float32, len(rows))
    out[-1] = 0.0
    total = out.sum()
    return out / total if total > 0 else out


def _spoken_for(
    shares: FloatArray, sources: npt.NDArray[np.int32], source_weights: FloatArray
) -> FloatArray:
    """Sum over each row's sources of the source's share times its weight in the table."""
    score: FloatArray = np.einsum("ij,ij->i", shares[sources], source_weights)
    return score
