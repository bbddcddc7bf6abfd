"""Which item of a shopper's history a candidate looks like, and how much: in a ranking, in a replay
and in a simulation the same."""

from dataclasses import dataclass

import numpy as np

from features.arrays import FloatArray, RowArray
from features.behavior.matrix import Histories
from serving.search.pictures.index import PictureIndex, alike_to

LATELY, BOUGHT = 20, 20  # items of a history that are looked at, of each the newest
MOST_ALIKE = 3  # of them, whose mean counts (docs/pictures.md)


@dataclass(frozen=True, slots=True)
class LooksLike:
    """Of candidates. alike: float32 (n,), 0..1, how much each looks like those items of the history
    that it is most like, 0 where no picture is known; row: int64 (n,), of the first, -1 = none."""

    alike: FloatArray
    row: RowArray

    def take(self, places: RowArray) -> "LooksLike":
        """Only the candidates at `places`."""
        return LooksLike(self.alike[places], self.row[places])


def looks_like(index: PictureIndex, histories: Histories, rows: RowArray) -> LooksLike | None:
    """Candidates in `rows` (n,), -1 = not to be looked at, beside what was clicked lately and what
    was bought; None where no picture of either is known. An item is never like itself."""
    at = np.flatnonzero(rows >= 0)
    known, vectors = index.known(rows[at])
    if not len(vectors):
        return None
    parts = [part for each in histories for part in (each.recent[:LATELY], each.bought[-BOUGHT:])]
    seen = np.unique(np.concatenate(parts))
    seen_known, chosen = index.known(seen)
    if not len(chosen):
        return None
    at, seen = at[known], seen[seen_known]
    each = alike_to(vectors, chosen)
    each[rows[at][:, None] == seen] = 0.0
    alike, row = np.zeros(len(rows), np.float32), np.full(len(rows), -1)
    alike[at] = np.sort(each, axis=1)[:, -MOST_ALIKE:].mean(axis=1)
    row[at] = np.where(alike[at] > 0, seen[each.argmax(axis=1)], -1)
    return LooksLike(alike, row)
