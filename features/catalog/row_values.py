"""Values of a few rows of the catalogue, looked up by row."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray, RowArray

Values = npt.NDArray[Any]


class _Kept(threading.local):
    """Zeros by row, by the number of columns: made anew, they would cost each request by the size
    of the catalogue."""

    def __init__(self) -> None:
        self.zeros: dict[int, FloatArray] = {}


_KEPT = _Kept()


@contextmanager
def values_by_row(n_rows: int, columns: Sequence[tuple[RowArray, Values]]) -> Iterator[FloatArray]:
    """float32 (more than n_rows, len(columns)): the values of the rows of each column, else 0.

    Row -1 reads 0. Valid, and not to be asked for again, until the block ends.
    """
    zeros = _KEPT.zeros.get(len(columns))
    if zeros is None or len(zeros) <= n_rows:
        zeros = np.zeros((n_rows + n_rows // 2 + 1, len(columns)), np.float32)
        _KEPT.zeros[len(columns)] = zeros
    try:
        for column, (rows, values) in enumerate(columns):
            zeros[rows, column] = values
        zeros[-1] = 0.0
        yield zeros
    finally:
        for rows, _ in columns:
            zeros[rows] = 0.0


def looked_up(n_rows: int, rows: RowArray, values: Values, wanted: RowArray) -> FloatArray:
    """The value of each of `wanted` among `rows`, (n,); 0 = it is none of them, or -1."""
    with values_by_row(n_rows, [(rows, values)]) as by_row:
        return by_row[:, 0].take(wanted)
