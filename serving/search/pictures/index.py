"""The index of pictures, and how alike a cosine of two of them is."""

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, DoubleArray, FloatArray, RowArray
from serving.models.contract import PICTURE_VECTOR_SIZE
from serving.search.dense import DenseIndex

# Of a logistic curve, fitted on pictures of one thing and of different things (docs/pictures.md).
_MIDDLE, _STEEPNESS = 0.62, 14.0
LEAST = 0.05  # alike, to be found by a picture
SAME = 0.90  # a cosine: the same picture, cropped, mirrored, made smaller or compressed
_FEW = 2_000  # items that filters leave, of which each is compared
_DEPTH = 1_000


class PictureIndex:
    """Rows of the catalogue by the vectors of their pictures. One thread writes, others read."""

    def __init__(self) -> None:
        self._dense = DenseIndex(PICTURE_VECTOR_SIZE)

    def update(self, rows: RowArray, vectors: FloatArray) -> None:
        """Put `vectors` (n, PICTURE_VECTOR_SIZE) in the places of `rows`; zeros leave the index."""
        self._dense.replace(rows, vectors)

    def known(self, rows: RowArray) -> tuple[BoolArray, FloatArray]:
        """Which of `rows` have a picture, (n,), and the vectors of those."""
        return self._dense.known(rows)

    def middle(self, rows: RowArray, weights: DoubleArray) -> FloatArray | None:
        """The weighted mean of the rows' vectors, of length 1; None when none has a picture."""
        known, vectors = self.known(rows)
        if not known.any():
            return None
        total = weights[known].astype(np.float32) @ vectors
        middle: FloatArray = total / np.float32(np.linalg.norm(total) + 1e-9)
        return middle

    def nearest(self, vector: FloatArray, depth: int) -> RowArray:
        """The rows that look most like `vector`, at most `depth`."""
        return self._dense.nearest(vector, depth)

    def like(self, vector: FloatArray, keep: BoolArray, limit: int) -> tuple[RowArray, FloatArray]:
        """Rows that look like `vector`, best first, at most `limit`, and how alike they are, 0..1.

        keep: bool (n_items,), what may be found
        """
        few = np.flatnonzero(keep)
        # Where filters leave few, none of them is too far down to be found.
        rows = few if len(few) <= _FEW else self.nearest(vector, max(limit, _DEPTH))
        rows = rows[rows < len(keep)]
        rows = rows[keep[rows]]
        known, vectors = self.known(rows)
        rows, alike = rows[known], likeness(vectors @ vector)
        order = np.argsort(-alike, kind="stable")
        order = order[alike[order] >= LEAST][:limit]
        return rows[order], alike[order]

    def likeness(self, rows: RowArray, vector: FloatArray) -> FloatArray:
        """How alike the pictures of `rows` are, 0..1, (n,); LEAST of one that is not known."""
        alike = np.full(len(rows), LEAST, np.float32)
        known, vectors = self.known(rows)
        alike[known] = likeness(vectors @ vector)
        return alike

    def same(self, rows: RowArray) -> npt.NDArray[np.int64]:
        """For each of `rows` the place of the first one that shows the same picture, (n,).

        One without a picture, or of -1, shows its own.
        """
        first = np.arange(len(rows))
        inside = np.flatnonzero(rows >= 0)
        known, vectors = self.known(rows[inside])
        places = inside[known]
        alike = vectors @ vectors.T >= SAME
        for place in range(1, len(places)):
            before = np.flatnonzero(
                alike[place, :place] & (first[places[:place]] == places[:place])
            )
            if len(before):
                first[places[place]] = places[before[0]]
        return first


def likeness(cosines: FloatArray) -> FloatArray:
    """How likely two pictures of these cosines show the same kind of thing, 0..1, (n,)."""
    values: FloatArray = (1 / (1 + np.exp(-_STEEPNESS * (cosines - _MIDDLE)))).astype(np.float32)
    return values


def together(relevance: FloatArray, alike: FloatArray) -> FloatArray:
    """How well an item answers a query and a picture, 0..1, (n,): halfway between, as log-odds."""
    odds = [np.clip(part, 1e-3, 1 - 1e-3) for part in (relevance, alike)]
    middle = sum(np.log(part / (1 - part)) for part in odds) / 2
    values: FloatArray = (1 / (1 + np.exp(-middle))).astype(np.float32)
    return values
