"""What each family of columns adds to a score: its Shapley values, exactly (docs/adr/0055).

The players are families of columns (serving/models/columns/families.py), the game is the score of
a row in which the families of a coalition are the item's and all others the baseline's:
interventional SHAP with one reference (Lundberg et al., 2020, "From local explanations to global
understanding with explainable AI for trees"), by groups of columns (Jullum et al., 2021,
"groupShapley"). Of a forest it follows from the leaves in one pass; of another network all
coalitions of the families in which a request differs from the baseline are scored. The baseline's
score and the contributions add up to the item's score.

Pure NumPy; a published version carries a copy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
Array = npt.NDArray[Any]
Masks = npt.NDArray[np.uint8]  # of families, one bit each

TREES = "forest.npz"  # the trees of a version, as `Trees` has them


@dataclass(frozen=True, slots=True)
class Trees:
    """A forest; its splits by depth, those of all trees together.

    levels: where each depth begins among the splits, and their number at the end
    column, threshold, unknown_left, each (splits,): a row goes left where its column is <= the
    threshold, or is unknown and `unknown_left`
    left, right: (splits,), what stands there: a split, or ~ the number of a leaf
    value: float64 (leaves,); constant: of trees that are one leaf
    """

    levels: npt.NDArray[np.int32]
    column: npt.NDArray[np.int32]
    threshold: FloatArray
    unknown_left: npt.NDArray[np.bool_]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    value: DoubleArray
    constant: DoubleArray

    @staticmethod
    def read(path: Path) -> "Trees":
        """From a file of arrays by these names."""
        with np.load(path) as stored:
            return Trees(**{name: stored[name] for name in stored.files})

    def write(self, path: Path) -> None:
        """As `read` takes it."""
        np.savez_compressed(path, **{name: getattr(self, name) for name in self.__slots__})


class _Paths:
    """The ways to the leaves of a forest, for many rows at once."""

    def __init__(self, trees: Trees, bits: Masks) -> None:
        """bits: of each column, that of its family (columns,)"""
        # An unknown value is read as one that goes where the split has the unknown go.
        self._column = trees.column + np.where(trees.unknown_left, 0, len(bits)).astype(np.intp)
        self._threshold = trees.threshold[:, None]
        self._bit = bits[trees.column][:, None]
        self._n_leaves = len(trees.value)
        self._levels = [
            (slice(start, end), [_below(child[start:end]) for child in (trees.right, trees.left)])
            for start, end in zip(
                trees.levels[:-1].tolist(), trees.levels[1:].tolist(), strict=True
            )
        ]

    def against(self, features: FloatArray) -> Masks:
        """The families that lead each row (n, columns) away from each leaf, (leaves, n)."""
        columns = features.T
        known_left = np.where(np.isnan(columns), -np.float32(np.inf), columns)
        either = np.concatenate([known_left, columns])  # nothing unknown is <= a threshold
        left = either.take(self._column, axis=0) <= self._threshold
        wrong = (left * self._bit, ~left * self._bit)  # for what stands right, left
        masks = np.zeros((len(self._column), len(features)), np.uint8)
        leaves = np.empty((self._n_leaves, len(features)), np.uint8)
        for level, sides in self._levels:
            for (splits, of_split, ends, of_leaf), away in zip(sides, wrong, strict=True):
                below = masks[level] | away[level]
                masks[of_split] = below.take(splits, axis=0)
                leaves[of_leaf] = below.take(ends, axis=0)
        return leaves


def _below(child: npt.NDArray[np.int32]) -> tuple[Array, Array, Array, Array]:
    """Of one level and side: which hang over splits, and over which; which over leaves, and
    which."""
    splits, ends = np.flatnonzero(child >= 0), np.flatnonzero(child < 0)
    return splits, child[splits], ends, ~child[ends]


class Contributions:
    """Of one version: what the baseline scores, and what each family adds to it.

    trees: of the forest, None where there is none; networks: the other members, each of features
    (n, columns) to what it adds to the score (n,); scale: what a leaf's value is multiplied with;
    offset: what the forest's part has beside its leaves; baseline: (columns,); families: the place
    of each column's family
    """

    def __init__(
        self,
        trees: Trees | None,
        scale: float,
        offset: float,
        networks: Sequence[Callable[[FloatArray], FloatArray]],
        baseline: FloatArray,
        families: Sequence[int],
        n_families: int,
    ) -> None:
        self._networks = networks
        self._paths: _Paths | None = None
        self._baseline = baseline[None, :]
        self._family = np.array(families, np.intp)
        self._n_families = n_families
        self._of_baseline = float(sum(float(of(self._baseline)[0]) for of in networks))
        if trees is not None:
            self._paths = _Paths(trees, (1 << self._family).astype(np.uint8))
            self._away = self._paths.against(self._baseline)  # the baseline from each leaf
            reached = float(trees.value[self._away[:, 0] == 0].sum() + trees.constant.sum())
            self._of_baseline += scale * reached + offset
            self._value = scale * trees.value

    def of(self, features: FloatArray) -> FloatArray:
        """The baseline's score, and what each family adds, (n, 1 + n_families)."""
        out = np.zeros((len(features), 1 + self._n_families), np.float64)
        out[:, 0] = self._of_baseline
        unlike = (features != self._baseline) & ~(np.isnan(features) & np.isnan(self._baseline))
        active = np.unique(self._family[unlike.any(axis=0)])
        if len(active):
            columns = 1 + active
            for network in self._networks:
                out[:, columns] += self._of_network(network, features, active)
            if self._paths is not None:
                out[:, columns] += self._of_trees(self._paths, features, active)
        return out.astype(np.float32)

    def _of_network(
        self, network: Callable[[FloatArray], FloatArray], features: FloatArray, active: Array
    ) -> DoubleArray:
        """All coalitions of the active families, scored."""
        own = np.zeros((1 << len(active), len(self._family)), bool)  # coalition, column
        members = _members(len(active))
        for place, family in enumerate(active.tolist()):
            own |= members[:, place, None] & (self._family == family)
        rows = np.where(own[None], features[:, None, :], self._baseline[None])
        scores = network(rows.reshape(-1, features.shape[1])).reshape(len(features), -1)
        found: DoubleArray = scores.astype(np.float64) @ _shapley(len(active))
        return found

    def _of_trees(self, paths: _Paths, features: FloatArray, active: Array) -> DoubleArray:
        """Of a leaf the two masks say all: it is reached by the coalitions that hold every family
        which leads the baseline away, and none which leads the row away."""
        squeezed, size = _squeezed(active, self._n_families), 1 << len(active)
        own = paths.against(features)
        leaf, row = np.nonzero(((own & self._away) == 0) & ((own | self._away) > 0))
        key = (row * size + squeezed[self._away[leaf, 0]]) * size + squeezed[own[leaf, row]]
        held = np.bincount(key, self._value[leaf], len(features) * size * size)
        found: DoubleArray = held.reshape(len(features), -1) @ _of_leaves(len(active))
        return found


def _squeezed(active: Array, n_families: int) -> npt.NDArray[np.int64]:
    """Masks of all families as masks of the active ones alone, by the former.

    The others lead row and baseline the same way, so a leaf that they lead away from is not met.
    """
    masks = np.arange(1 << n_families)
    out = np.zeros(1 << n_families, np.int64)
    for place, family in enumerate(active.tolist()):
        out |= ((masks >> family) & 1) << place
    return out


@cache
def _members(n: int) -> npt.NDArray[np.bool_]:
    """Who is in each coalition of `n`, (2 ** n, n)."""
    return ((np.arange(1 << n)[:, None] >> np.arange(n)) & 1).astype(bool)


@cache
def _shapley(n: int) -> DoubleArray:
    """What the score of a coalition counts for each of `n` players, (2 ** n, n)."""
    members = _members(n)
    size = members.sum(axis=1, keepdims=True)
    weight = np.array([factorial(k) for k in range(n + 1)], np.float64)
    joined = weight[np.maximum(size - 1, 0)] * weight[n - size]
    left_out = weight[size] * weight[np.maximum(n - size - 1, 0)]
    counts: DoubleArray = np.where(members, joined, -left_out) / weight[n]
    return counts


@cache
def _of_leaves(n: int) -> DoubleArray:
    """What a leaf of value 1 counts for each of `n` players, (4 ** n, n), by (those who lead the
    baseline away, those who lead the row away)."""
    members = _members(n)
    size = members.sum(axis=1)
    weight = np.array([factorial(k) for k in range(2 * n + 1)], np.float64)
    of_base, of_row = size[:, None, None], size[None, :, None]
    together = weight[np.maximum(of_base + of_row, 1)]
    given = weight[np.maximum(of_base - 1, 0)] * weight[of_row] / together
    taken = weight[np.maximum(of_row - 1, 0)] * weight[of_base] / together
    found = np.where(members[:, None, :], given, 0.0) - np.where(members[None], taken, 0.0)
    return found.reshape(1 << 2 * n, n)
