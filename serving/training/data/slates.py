"""Slates of candidates with their features: what is fitted on, and what is evaluated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray, IntArray, RowArray
from features.behavior.matrix import BEHAVIOR_OF_ITEM, COLUMN
from serving.models.contract import Limits
from serving.training.data.cases import NO_ROWS, Case

LIMITS = Limits()  # a bundle is trained on histories of these lengths


@dataclass(frozen=True, slots=True)
class Slates:
    """Cases as columns; slate i owns candidates `offsets[i]:offsets[i + 1]`.

    queries:         (n,) "" = none; at_s: float64 (n,); interactions: int64 (n,) of the shopper
    user_history:    int32 (n, LIMITS.user_history) item rows, newest first, -1 = none;
    session_history: int32 (n, LIMITS.session_history)
    bought:          int32 (n, LIMITS.bought_history); purchases: float32 (n, same, 3) of each times
                     bought, days since the first and the last
    item_rows:       int64 (R,); labels, weights: float32 (R,)
    features:        float32 (R, len(FEATURE_NAMES)), NaN = unknown
    """

    queries: tuple[str, ...]
    at_s: npt.NDArray[np.float64]
    interactions: RowArray
    user_history: IntArray
    session_history: IntArray
    bought: IntArray
    purchases: FloatArray
    offsets: RowArray
    item_rows: RowArray
    labels: FloatArray
    weights: FloatArray
    features: FloatArray

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def slate_of(self) -> RowArray:
        """The slate of each candidate: int64 (R,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def part(self, index: int) -> slice:
        """Where the candidates of slate `index` stand among all rows."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def take(self, chosen: RowArray) -> "Slates":
        """The slates `chosen`, in that order."""
        sizes = np.diff(self.offsets)[chosen]
        parts = [self.part(index) for index in chosen.tolist()]
        rows = np.concatenate([np.arange(part.start, part.stop) for part in parts] or [NO_ROWS])
        return Slates(
            tuple(self.queries[i] for i in chosen.tolist()),
            self.at_s[chosen],
            self.interactions[chosen],
            self.user_history[chosen],
            self.session_history[chosen],
            self.bought[chosen],
            self.purchases[chosen],
            offsets_of(sizes),
            self.item_rows[rows],
            self.labels[rows],
            self.weights[rows],
            self.features[rows],
        )


def in_slate_order(
    values: Sequence[npt.NDArray[np.generic]], cases: Sequence[Case], slates: Slates
) -> npt.NDArray[Any]:
    """One array (R,) of `values`, which has for each case an array beside its `rows`.

    It is in the order of the candidates of `slates`, which were made of these cases.
    """
    out = np.zeros(len(slates.item_rows), values[0].dtype if len(values) else np.float32)
    for index, (of_case, case) in enumerate(zip(values, cases, strict=True)):
        part = slates.part(index)
        place = {row: number for number, row in enumerate(case.rows.tolist())}
        out[part] = of_case[[place[row] for row in slates.item_rows[part].tolist()]]
    return out


def concatenate(parts: Sequence[Slates]) -> Slates:
    """The slates of all `parts`, one after the other; at least one part."""
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in (
            "at_s", "interactions", "user_history", "session_history", "bought", "purchases",
            "item_rows", "labels", "weights", "features",
        )
    }  # fmt: skip
    sizes = np.concatenate([np.diff(part.offsets) for part in parts])
    queries = tuple(query for part in parts for query in part.queries)
    return Slates(queries=queries, offsets=offsets_of(sizes), **joined)


def offsets_of(sizes: npt.ArrayLike) -> RowArray:
    """Where each slate of `sizes` (n,) candidates begins, and where the last one ends: (n + 1,)."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def with_gain(gains: FloatArray, offsets: RowArray) -> npt.NDArray[np.intp]:
    """The slates in which some candidate has a gain above 0."""
    return np.flatnonzero(np.add.reduceat(gains, offsets[:-1]) > 0)


def sampled_candidates(
    slates: Slates, index: int, rng: np.random.Generator, n_wanted: int, n_unwanted: int
) -> RowArray:
    """Rows of slate `index`: at most `n_wanted` with a label above 0, `n_unwanted` without."""
    rows = np.arange(slates.offsets[index], slates.offsets[index + 1])
    wanted = slates.labels[rows] > 0
    return np.concatenate(
        [rng.permutation(rows[wanted])[:n_wanted], rng.permutation(rows[~wanted])[:n_unwanted]]
    )


def hide_behavior(slates: Slates, share: float, rng: np.random.Generator) -> Slates:
    """Make a random `share` of the candidates look new, wanted and unwanted ones alike.

    Their behaviour is NaN and half of them entered the catalogue in the last two weeks. A new item
    is then ranked by its text, age and price, and its lack of behaviour says nothing against it.
    """
    features = slates.features.copy()
    hidden = np.flatnonzero(rng.random(len(features)) < share)
    features[hidden[:, None], list(BEHAVIOR_OF_ITEM)] = np.nan
    young = rng.random(len(hidden)) < 0.5
    age_days = np.where(young, rng.uniform(0, 14, len(hidden)), np.nan)
    features[hidden, COLUMN["item_age_days"]] = np.log1p(age_days)
    return replace(slates, features=features)
