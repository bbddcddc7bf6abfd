"""Scoring by rules: pure functions over columns, no I/O, never fails for want of data."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray
from features.behavior.matrix import COLUMN
from serving.ranking.values import FeatureMatrix
from serving.shops.rules import ColdStartRules
from serving.types import Scores


class ColdStartClient(Protocol):
    """The ColdStart deployment."""

    async def score(self, features: FeatureMatrix, budget_s: float) -> Scores:
        """Scores within the budget, or a RankingError."""
        ...


def cold_start_scores(features: FeatureMatrix, rules: ColdStartRules) -> Scores:
    """Scores for shoppers of whom too little is known, and whenever the model cannot answer.

    A weighted sum of standardised signals; a signal that says nothing adds nothing.
    """
    weights = rules.weights.by_signal
    signals = _signals(features, rules)
    parts = np.stack([weight * _standardise(signals[name]) for name, weight in weights.items()], 1)
    return Scores(
        values=parts.sum(axis=1, dtype=np.float32),
        parts=parts.astype(np.float32),
        part_names=tuple(weights),
    )


def _signals(features: FeatureMatrix, rules: ColdStartRules) -> dict[str, FloatArray]:
    """Raw signals by the names of rules.Weights, each (n,), NaN = unknown."""
    values = features.values

    def column(name: str) -> FloatArray:
        return values[:, COLUMN[name]]

    def best(*names: str) -> FloatArray:
        strongest: FloatArray = np.fmax.reduce([column(name) for name in names])
        return strongest

    def total(*names: str) -> FloatArray:
        """Sum of what is known: a level more in common counts more. NaN where nothing is known."""
        levels = np.stack([column(name) for name in names])
        known = np.isfinite(levels).any(axis=0)
        return np.where(known, np.nansum(levels, axis=0), np.nan).astype(np.float32)

    interest_window = "30d" if rules.popularity_window == "120d" else rules.popularity_window
    sold = column(f"item_purchase_{rules.popularity_window}")  # log(1 + count)
    if features.prior is not None:
        sold = np.log(np.exp(sold) + features.prior)  # it fades beside what the shop itself sells
    popularity = sold + 0.5 * column(f"item_interest_{interest_window}")
    age_days = np.expm1(column("item_age_days"))
    return {
        "popularity": popularity,
        "popularity_in_category": popularity - _group_mean(popularity, features.deepest_category),
        "trend": column("item_trend_7d_30d"),
        "newness": np.exp(-age_days / rules.newness_days),
        "query_match": features.query_match,
        "session_intent": total("session_category_1", "session_category_2", "session_category_3")
        + 0.5 * np.nan_to_num(column("session_brand")),
        "similar_shoppers": best("session_neighbor", "user_neighbor"),
        "taste": total("user_category_1", "user_category_2", "user_category_3")
        + 0.5 * np.nan_to_num(column("user_brand")),
        "bought_before": column("user_times_bought"),
        "retrieval": column("retrieval_score"),
    }


def _standardise(signal: FloatArray) -> FloatArray:
    """Zero mean and unit spread over the known values; 0 where unknown or all alike."""
    known = np.isfinite(signal)
    if not known.any():
        return np.zeros(len(signal), np.float32)
    spread = signal[known].std()
    if spread < 1e-6:
        return np.zeros(len(signal), np.float32)
    return np.where(known, (signal - signal[known].mean()) / spread, 0.0).astype(np.float32)


def _group_mean(signal: FloatArray, group: npt.NDArray[np.int32]) -> FloatArray:
    """Mean of the known values of each value's group, (n,)."""
    _, index = np.unique(group, return_inverse=True)
    known = np.isfinite(signal)
    total = np.bincount(index, np.where(known, signal, 0.0))
    count = np.bincount(index, known.astype(float))
    return (total / np.maximum(count, 1.0))[index].astype(np.float32)
