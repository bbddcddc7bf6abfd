"""The arrays that pass between the modules of training."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.int64]  # rows of a table, or offsets into one
IntArray = npt.NDArray[np.int32]
