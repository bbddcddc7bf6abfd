"""Brands and categories for a shopper: by taste, and by what is popular."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.arrays import BoolArray, DoubleArray, FloatArray
from features.behavior.matrix import Shopper
from features.catalog.table import ItemTable

# How much a taste counts beside POPULARITY grows with the log of the interactions that tell of it.
POPULARITY = 1.0
_SESSION = 2.0  # of now, and of few interactions


@dataclass(frozen=True, slots=True)
class Kind:
    """What is wanted. level: of categories, 1 = the outermost; None: brands."""

    level: int | None = None


@dataclass(frozen=True, slots=True)
class Liked:
    """A brand or a category. score: how likely it is the one wanted next, all of them sum to 1;
    taste: its share of what the shopper cares for; popularity: of what everybody buys lately."""

    name: str
    score: float
    taste: float
    popularity: float


def liked(
    table: ItemTable, shopper: Shopper, demand: FloatArray, keep: BoolArray, kind: Kind
) -> list[Liked]:
    """All that have an item in `keep`, bool (n_items,), the best first.

    demand: float32 (any,), of the first items of the table
    """
    code_of = table.brand_code if kind.level is None else table.category_code
    codes = (table.brand if kind.level is None else table.category[:, kind.level - 1])[: len(keep)]
    names = list(code_of)
    offered = np.zeros(len(names), bool)
    at = np.flatnonzero(keep & (codes >= 0) & (codes < len(names)))
    offered[codes[at]] = True
    wanted = np.zeros(len(keep))
    known = min(len(demand), len(keep))
    wanted[:known] = demand[:known]
    popularity = _share(np.bincount(codes[at], wanted[at], len(names)).astype(np.float64), offered)
    total, taste, weight_sum = POPULARITY * popularity, np.zeros(len(names)), 0.0
    for state, importance in ((shopper.user, 1.0), (shopper.session, _SESSION)):
        if state is not None:
            affinities = state.brands if kind.level is None else state.categories
            share = _share(_by_code(affinities, code_of, len(names)), offered)
            weight = importance * math.log1p(state.n_interactions) * bool(share.any())
            taste, weight_sum = taste + weight * share, weight_sum + weight
    score = (total + taste) / (POPULARITY + weight_sum)
    taste = taste / (weight_sum or 1.0)
    order = np.flatnonzero(offered)
    order = order[np.argsort(-score[order], kind="stable")]
    return [
        Liked(names[code], float(score[code]), float(taste[code]), float(popularity[code]))
        for code in order.tolist()
    ]


def _by_code(affinities: Mapping[str, float], code_of: Mapping[str, int], n: int) -> DoubleArray:
    out = np.zeros(n)
    for name, weight in affinities.items():
        code = code_of.get(name, n)
        if code < n:
            out[code] = max(weight, 0.0)
    return out


def _share(weights: DoubleArray, offered: BoolArray) -> DoubleArray:
    """Of the sum over what is offered, which leaves other levels of categories out, too."""
    weights = np.where(offered, weights, 0.0)
    total = float(weights.sum())
    share: DoubleArray = weights / total if total > 0 else weights
    return share
