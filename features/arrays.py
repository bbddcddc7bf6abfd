"""The array types that modules share, by what their elements are."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]  # features, weights of neighbours, vectors
DoubleArray = npt.NDArray[np.float64]  # unix seconds, and sums over many things
LongArray = npt.NDArray[np.int64]  # positions, keys, numbers of shoppers
RowArray = LongArray  # rows of an ItemTable; -1 = an item that it does not know
IntArray = npt.NDArray[np.int32]  # codes and rows inside tables; -1 = none
BoolArray = npt.NDArray[np.bool_]
