"""Ranked lists of several engines as one: reciprocal rank fusion (Cormack et al., 2009).

Places compare where scores of different engines do not.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray, RowArray

WeightedList = tuple[float, RowArray]  # weight, rows with the best first
_K = 60  # the constant of the paper


def fused(
    lists: Sequence[WeightedList], keep: npt.NDArray[np.bool_], limit: int
) -> tuple[RowArray, FloatArray]:
    """The best rows among those that `keep`, bool (n_rows,), lets through, and their scores."""
    score = np.zeros(len(keep), np.float32)
    for weight, rows in lists:
        rows = rows[rows < len(keep)]  # the catalogue may have grown since `keep` was made
        np.add.at(score, rows, weight / (_K + 1 + np.arange(len(rows))))
    rows = np.flatnonzero((score > 0) & keep)
    rows = rows[np.argsort(-score[rows], kind="stable")][:limit]
    return rows, score[rows]
