"""The dense index: items by the vectors of their texts, in process."""

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
from usearch.index import Index

from features.arrays import BoolArray, FloatArray, RowArray
from serving.models.contract import VECTOR_SIZE

_DEPTH = 1_000  # a search takes longer for each
_BATCH = 16  # added at once: readers wait for that long
_MANY = 0.1  # of the items: while more wait for their vectors, words are to judge alone


class DenseIndex:
    """Rows of the catalogue by cosine. One thread writes, others read. size: of the vectors."""

    def __init__(self, size: int = VECTOR_SIZE) -> None:
        self._size = size
        self._index = Index(ndim=size, metric="cos", dtype="f16")
        self._lock = threading.Lock()  # usearch moves its nodes when it grows
        self._awaited: set[int] = set()

    def expect(self, rows: RowArray) -> None:
        """Vectors of `rows` are to come; until then nobody knows how near these items are."""
        with self._lock:
            self._awaited.update(rows.tolist())

    @property
    def n_awaited(self) -> int:
        """How many items have no vector yet, but will."""
        with self._lock:
            return len(self._awaited)

    @property
    def is_ready(self) -> bool:
        """Whether all but a few of the items that will have a vector have one."""
        with self._lock:
            return len(self._awaited) <= _MANY * len(self._index)

    def awaited(self, rows: RowArray) -> BoolArray:
        """Which of `rows` have no vector yet, but will, (n,)."""
        with self._lock:
            if not self._awaited:
                return np.zeros(len(rows), bool)
            waits = np.array([row in self._awaited for row in rows.tolist()], bool)
            waits[waits] = ~np.asarray(self._index.contains(rows[waits]), bool)
            return waits

    def replace(self, rows: RowArray, vectors: FloatArray) -> None:
        """Put `vectors` (n, size) in the places of `rows`; zeros leave the index."""
        for start in range(0, len(rows), _BATCH):
            part, new = rows[start : start + _BATCH], vectors[start : start + _BATCH]
            keep = new.any(axis=1)
            with self._lock:
                stale = part[np.asarray(self._index.contains(part))]
                if len(stale):
                    self._index.remove(stale)
                if keep.any():
                    # So few are added sooner by one thread than by several, which would have to
                    # begin and, in an index that is empty, to wait for each other.
                    self._index.add(part[keep], new[keep], threads=1)
                self._awaited.difference_update(part.tolist())

    def remove(self, rows: RowArray) -> None:
        """Take `rows` out."""
        self.replace(rows, np.zeros((len(rows), self._size), np.float32))

    def nearest(self, vector: FloatArray, depth: int) -> RowArray:
        """The rows nearest to `vector` (size,), at most `depth`."""
        with self._lock:
            n = min(depth, _DEPTH, len(self._index))
            return np.asarray(self._index.search(vector, n).keys if n else (), np.int64)

    def known(self, rows: RowArray) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        """Which of `rows` have a vector, (n,), and those vectors, (n_known, size)."""
        if not len(rows):
            return np.zeros(0, bool), np.zeros((0, self._size), np.float32)
        with self._lock:
            known = np.asarray(self._index.contains(rows))
            vectors: Any = self._index.get(rows[known], "f32") if known.any() else ()
        if not known.any():
            return known, np.zeros((0, self._size), np.float32)
        # A tenth of the time of an array of arrays.
        joined: FloatArray = np.concatenate(vectors).reshape(-1, self._size)
        return known, joined


def between(vectors: FloatArray) -> FloatArray | None:
    """The unit vector (d,) in the middle of unit vectors (n, d); None when there is none."""
    total = vectors.sum(axis=0)
    length = float(np.linalg.norm(total))
    if length == 0:  # a text that the encoder cannot read has zeros
        return None
    middle: FloatArray = total / np.float32(length)
    return middle
