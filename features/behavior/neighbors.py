"""Which items speak for an item: two item-to-item tables from a log of purchases.

`neighbors` is EASE (Steck, 2019, "Embarrassingly Shallow Autoencoders for Sparse Data"): which
items tell, over a shopper's whole history, that the shopper will want the item. `basket_neighbors`
is the cosine of baskets: what lies in one basket together.

A row keeps its strongest *sources*, not its strongest targets: a candidate's score is then one
gather over its own row, and the cut loses less (Online Retail, NDCG@10 of EASE alone: all .134,
50 sources .139, 50 targets .121).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.linalg import lapack

from features.arrays import DoubleArray, FloatArray, IntArray, LongArray, RowArray
from features.catalog.table import ItemTable

N_NEIGHBORS = 50
EASE_L2 = 500.0
EASE_MAX_ITEMS = 12_000  # the closed form inverts a dense matrix of this side: about 600 MB
BASKET_SHRINK = 5.0  # baskets added to each count: items sold once, together, are no pair
INTERACTION_TYPES = frozenset({"purchase", "add_to_cart", "click"})
CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Interactions:
    """Who chose what, in order of time. Codes are dense integers; shopper -1 is a guest."""

    shopper: LongArray
    basket: LongArray  # -1: no session
    row: RowArray
    at_s: DoubleArray

    def before(self, at_s: float) -> "Interactions":
        """Only what happened strictly before `at_s`."""
        end = int(np.searchsorted(self.at_s, at_s))
        return Interactions(self.shopper[:end], self.basket[:end], self.row[:end], self.at_s[:end])


@dataclass(frozen=True, slots=True)
class NeighborTables:
    """int32 and float32 (n_items, k), strongest first; -1 and 0 where there are fewer than k.

    interaction_counts: float32 (n_items,), of each item.
    """

    neighbors: IntArray
    neighbor_weights: FloatArray
    basket_neighbors: IntArray
    basket_neighbor_weights: FloatArray
    interaction_counts: FloatArray


def item_interactions(events: pd.DataFrame, items: ItemTable) -> Interactions:
    """The purchases, carts and clicks of `events` (format.py's columns) on items of the table."""
    chosen = events[events["type"].isin(INTERACTION_TYPES)]
    rows = items.rows(chosen["item_id"].tolist())
    chosen, rows = chosen[rows >= 0], rows[rows >= 0]
    shopper = pd.factorize(chosen["user_id"].where(chosen["user_id"] != ""))[0]
    basket = pd.factorize(chosen["session_id"].where(chosen["session_id"] != ""))[0]
    return Interactions(
        shopper.astype(np.int64), basket.astype(np.int64), rows, chosen["at"].to_numpy(np.float64)
    )


def neighbor_tables(log: Interactions, n_items: int, k: int = N_NEIGHBORS) -> NeighborTables:
    """Both tables from `log`; cut it with `before` to stay point-in-time.

    A catalogue above EASE_MAX_ITEMS gets the cosine of shoppers in place of EASE.
    """
    k = min(k, max(n_items - 1, 1))
    if not len(log.row):  # a shop that begins, of any size: nothing to compare
        counts = np.zeros(n_items, np.float32)
        return NeighborTables(*_empty(n_items, k), *_empty(n_items, k), counts)
    shoppers = _incidence(log.shopper, log.row, n_items)
    baskets = _incidence(log.basket, log.row, n_items)
    neighbors = _ease(shoppers, k) if n_items <= EASE_MAX_ITEMS else _cosine(shoppers, k)
    counts = np.bincount(log.row, minlength=n_items).astype(np.float32)
    return NeighborTables(*neighbors, *_cosine(baskets, k), counts)


def _incidence(group: LongArray, row: RowArray, n_items: int) -> sp.csr_matrix:
    """Binary (n_groups, n_items); a group is a shopper or a basket, -1 belongs to none."""
    known = group >= 0
    n_groups = int(group.max(initial=-1)) + 1
    ones = np.ones(int(known.sum()), np.float32)
    matrix = sp.csr_matrix((ones, (group[known], row[known])), shape=(max(n_groups, 1), n_items))
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix


def _ease(groups: sp.csr_matrix, k: int) -> tuple[IntArray, FloatArray]:
    n_groups, n_items = groups.shape
    has_any = np.asarray(groups.sum(axis=0)).ravel() > 0
    blocks = _blocks_by_group(groups) if n_groups < n_items else _blocks_by_item(groups)
    table = _empty(n_items, k)
    for rows, block in blocks:
        # P, the inverse of Gram + l2, by rows of targets: B[j, i] = -P[j, i] / P[i, i].
        own = np.arange(len(rows)), rows
        block *= -1.0 / block[own][:, None]
        block[own] = 0.0
        block[~has_any[rows]] = 0.0
        _keep_strongest(block, rows, *table)
    return table


def _blocks_by_item(groups: sp.csr_matrix) -> Iterator[tuple[RowArray, FloatArray]]:
    """Rows of P by Cholesky of the item-by-item Gram matrix."""
    n_items = groups.shape[1]
    gram = (groups.T @ groups).toarray().astype(np.float32, order="F")
    gram[np.diag_indices(n_items)] += EASE_L2
    factor, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
    inverse, failed_too = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise np.linalg.LinAlgError(f"the Gram matrix of {n_items} items is not positive definite")
    for rows in _chunks(n_items):
        start = int(rows[0])
        block = np.zeros((len(rows), n_items), np.float32)  # only the lower triangle is filled
        block[:, : rows[-1] + 1] = np.tril(inverse[rows, : rows[-1] + 1], k=start)
        block[:, start:] += np.tril(inverse[start:, rows], k=-1).T
        yield rows, block


def _blocks_by_group(groups: sp.csr_matrix) -> Iterator[tuple[RowArray, FloatArray]]:
    """Rows of P by Woodbury's identity, (I - X' (XX' + l2)^-1 X) / l2: cheap for few groups."""
    n_groups, n_items = groups.shape
    small = (groups @ groups.T).toarray().astype(np.float32)
    small[np.diag_indices(n_groups)] += EASE_L2
    carried = np.ascontiguousarray((groups.T @ np.linalg.inv(small)).T)  # (n_groups, n_items)
    by_item = groups.T.tocsr()
    for rows in _chunks(n_items):
        block = by_item[rows] @ carried
        block *= -1.0 / EASE_L2
        block[np.arange(len(rows)), rows] += 1.0 / EASE_L2
        yield rows, block


def _chunks(n_items: int) -> Iterator[RowArray]:
    for start in range(0, n_items, CHUNK):
        yield np.arange(start, min(start + CHUNK, n_items))


def _cosine(groups: sp.csr_matrix, k: int) -> tuple[IntArray, FloatArray]:
    n_items = groups.shape[1]
    count = np.asarray(groups.sum(axis=0), np.float32).ravel() + BASKET_SHRINK
    root = np.sqrt(count)
    by_item = groups.T.tocsr()
    table = _empty(n_items, k)
    for rows in _chunks(n_items):
        block = (by_item[rows] @ groups).toarray()
        block /= root[rows, None] * root[None, :]
        block[np.arange(len(rows)), rows] = 0.0
        _keep_strongest(block, rows, *table)
    return table


def _empty(n_items: int, k: int) -> tuple[IntArray, FloatArray]:
    return np.full((n_items, k), -1, np.int32), np.zeros((n_items, k), np.float32)


def _keep_strongest(block: FloatArray, rows: RowArray, index: IntArray, weight: FloatArray) -> None:
    """Write the k largest positive entries of each row of `block` into the table's `rows`."""
    k = index.shape[1]
    best = np.argpartition(-block, k - 1, axis=1)[:, :k]
    value = np.take_along_axis(block, best, axis=1)
    order = np.argsort(-value, axis=1, kind="stable")
    best, value = np.take_along_axis(best, order, axis=1), np.take_along_axis(value, order, axis=1)
    index[rows] = np.where(value > 0, best, -1)
    weight[rows] = np.maximum(value, 0.0)
