"""The index of pictures, and how alike a cosine of two of them is."""

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, DoubleArray, FloatArray, RowArray
from serving.models.contract import PICTURE_SHAPES, PICTURE_VECTOR_SIZE
from serving.search.dense import DenseIndex
from serving.search.pictures.joint import JointSpace

# Of a logistic curve of the cosine of shapes, set by hand (docs/pictures.md).
_MIDDLE, _STEEPNESS = 0.70, 18.0
LEAST = 0.05  # alike, to be found by a picture
SAME = 0.92  # a cosine: the same picture, cropped, mirrored, made smaller or compressed
_NEAR = 0.85  # a cosine: so near that colours say which is nearest, and come before what is less so
_NEAR_SHARE = 0.98  # how alike what is not so near may be at most
_FEW = 2_000  # items that filters leave, of which each is compared
_DEPTH = 1_000


class PictureIndex:
    """Rows of the catalogue by the vectors of their pictures, and by what these have in common with
    words where a shop has learnt that (joint.py). One thread writes, others read.
    """

    def __init__(self) -> None:
        self._dense = DenseIndex(PICTURE_VECTOR_SIZE)
        self._rows: set[int] = set()  # that have a picture
        self._joint: tuple[JointSpace, DenseIndex] | None = None  # replaced whole

    def update(self, rows: RowArray, vectors: FloatArray) -> None:
        """Put `vectors` (n, PICTURE_VECTOR_SIZE) in the places of `rows`; zeros leave the index."""
        self._dense.replace(rows, vectors)
        shown: BoolArray = (vectors != 0).any(axis=1)
        self._rows.difference_update(rows[~shown].tolist())
        self._rows.update(rows[shown].tolist())
        if self._joint is not None:
            space, index = self._joint
            index.replace(rows, np.where(shown[:, None], space.of_pictures(vectors), 0))

    def take_joint(self, space: JointSpace | None) -> None:
        """From now on words find pictures by this space; None: they find none."""
        if space is None:
            self._joint = None
            return
        index, rows = DenseIndex(space.size), np.array(sorted(self._rows), np.int64)
        for start in range(0, len(rows), _FEW):
            known, vectors = self._dense.known(rows[start : start + _FEW])
            index.replace(rows[start : start + _FEW][known], space.of_pictures(vectors))
        self._joint = space, index

    def shown_for(self, vector: FloatArray, depth: int) -> RowArray:
        """The rows whose pictures show most of what a text means, at most `depth`; none without a
        joint space. vector: of the text encoder, (VECTOR_SIZE,)
        """
        if self._joint is None:
            return np.zeros(0, np.int64)
        space, index = self._joint
        return index.nearest(space.of_texts(vector), depth)

    def likely_for(self, vector: FloatArray, rows: RowArray) -> FloatArray:
        """How likely the pictures of `rows` show what a text means, 0..1, (n,); 0: none is known.

        vector: as of `shown_for`
        """
        likely = np.zeros(len(rows), np.float32)
        if self._joint is not None:
            space, index = self._joint
            known, vectors = index.known(rows)
            likely[known] = space.likely(vectors @ space.of_texts(vector))
        return likely

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
        rows, alike = rows[known], alike_to(vectors, vector)
        order = np.argsort(-alike, kind="stable")
        order = order[alike[order] >= LEAST][:limit]
        return rows[order], alike[order]

    def likeness(self, rows: RowArray, vector: FloatArray) -> FloatArray:
        """How alike the pictures of `rows` are, 0..1, (n,); LEAST of one that is not known."""
        alike = np.full(len(rows), LEAST, np.float32)
        known, vectors = self.known(rows)
        alike[known] = alike_to(vectors, vector)
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


def alike_to(vectors: FloatArray, others: FloatArray) -> FloatArray:
    """How alike pictures of vectors (n, d) are to one of (d,), 0..1, (n,); or to each of (m, d),
    (n, m).

    By what they show, whatever its colour; but what is nearly the same picture is more alike than
    anything else, and there colours count.
    """
    shapes, their = vectors[:, :PICTURE_SHAPES], others[..., :PICTURE_SHAPES]
    lengths = np.multiply.outer(np.linalg.norm(shapes, axis=1), np.linalg.norm(their, axis=-1))
    alike = _NEAR_SHARE * likeness(shapes @ their.T / np.maximum(lengths, np.float32(1e-9)))
    cosines = vectors @ others.T
    near = cosines >= _NEAR
    alike[near] = _NEAR_SHARE + (1 - _NEAR_SHARE) * cosines[near]
    values: FloatArray = alike.astype(np.float32)
    return values


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
