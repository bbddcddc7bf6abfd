"""Ranking metrics of slates, one value a slate, and paired bootstrap intervals over slates.

Ties count as half before and half behind, so that a constant score is worth a random order and no
metric depends on the order in which candidates were listed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray, RowArray

Array = npt.NDArray[np.float64]
N_BOOTSTRAP = 2_000


@dataclass(frozen=True, slots=True)
class Quality:
    """Values by slate, float64 (n,); NaN where a slate has nothing to find."""

    ndcg: Array
    hit_rate: Array
    reciprocal_rank: Array
    auc: Array

    def take(self, chosen: npt.NDArray[np.bool_]) -> "Quality":
        """The slates that `chosen` names."""
        return Quality(
            self.ndcg[chosen], self.hit_rate[chosen], self.reciprocal_rank[chosen], self.auc[chosen]
        )


def quality(
    scores: FloatArray,
    gains: FloatArray,
    offsets: RowArray,
    depth: int = 10,
) -> Quality:
    """NDCG@depth (linear gains), HitRate@depth, MRR and AUC of each slate.

    scores, gains: (R,); slate i is `offsets[i]:offsets[i + 1]`. A candidate of gain > 0 is a hit.
    """
    rows = np.full((4, len(offsets) - 1), np.nan)
    for index in range(len(offsets) - 1):
        part = slice(offsets[index], offsets[index + 1])
        if (gains[part] > 0).any():
            rows[:, index] = _slate_quality(scores[part], gains[part], depth)
    return Quality(*rows)


def interval(difference: Array, seed: int = 0) -> tuple[float, float, float]:
    """Mean and 95 % bootstrap interval of a per-slate value; give differences for a paired one."""
    known = difference[~np.isnan(difference)]
    if len(known) == 0:
        return (np.nan, np.nan, np.nan)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(len(known), np.full(len(known), 1 / len(known)), N_BOOTSTRAP)
    means = draws @ known / len(known)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(known.mean()), float(low), float(high)


def mean_known(values: Array) -> float | None:
    """Mean of the values that are not NaN; None when there are none (AUC of all-wanted slates)."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def coverage(
    scores: FloatArray,
    item_rows: RowArray,
    offsets: RowArray,
    depth: int = 10,
) -> float:
    """Share of the items offered in any slate that reach some slate's first `depth` places."""
    shown = set()
    for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        best = np.argsort(-scores[start:end], kind="stable")[:depth]
        shown.update(item_rows[start:end][best].tolist())
    return len(shown) / max(len(np.unique(item_rows)), 1)


def _slate_quality(
    scores: FloatArray, gains: FloatArray, depth: int
) -> tuple[float, float, float, float]:
    order = np.argsort(-scores, kind="stable")
    ordered, gain = scores[order], gains[order].astype(np.float64)
    discount = np.where(np.arange(len(gain)) < depth, 1 / np.log2(np.arange(len(gain)) + 2), 0.0)
    inside = (np.arange(len(gain)) < depth).astype(np.float64)
    # Tied candidates share the mean discount of the places that they take together.
    group = np.concatenate([[0], np.cumsum(ordered[1:] != ordered[:-1])])
    size = np.bincount(group)
    shared = (np.bincount(group, discount) / size)[group]
    place = (np.bincount(group, np.arange(1.0, len(gain) + 1)) / size)[group]
    ideal = np.sort(gains.astype(np.float64))[::-1] @ discount
    hit = gain > 0
    missed = 1.0 - (np.bincount(group, inside) / size)[group][hit]
    n_hits, n_rest = int(hit.sum()), int((~hit).sum())
    # Mann-Whitney: a hit's mean place counts those before it, the other hits among them.
    before = place[hit].sum() - n_hits * (n_hits + 1) / 2
    auc = 1.0 - before / (n_hits * n_rest) if n_rest else np.nan
    return (
        float(gain @ shared / ideal),
        float(1.0 - missed.min() if n_hits == 1 else float((missed < 1.0).any())),
        float(1.0 / place[hit].min()),
        float(auc),
    )
