"""Pictures to vectors inside the model server.

A published version carries a copy of this module; it needs NumPy and ONNX Runtime only.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.models.contract import PICTURE_SIDE
from serving.models.packing import BatchError
from serving.models.runtime.text_vectors import open_session

FloatArray = npt.NDArray[np.float32]
_SIZE = PICTURE_SIDE * PICTURE_SIDE * 3


class PictureEncoder:
    """The network. Pictures run one by one, several at a time: the vector depends on nothing else.

    threads: pictures at a time
    """

    def __init__(
        self, path: Path, threads: int, providers: Sequence[str] = ("CPUExecutionProvider",)
    ) -> None:
        self._session = open_session(path, providers)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="picture")
        self.size = int(self._session.get_outputs()[0].shape[1])

    def encode(self, pixels: npt.NDArray[Any]) -> FloatArray:
        """Unit vectors float32 (n, size) of `pixels` uint8 (n, SIDE * SIDE * 3); BatchError."""
        if pixels.ndim != 2 or pixels.shape[1] != _SIZE or pixels.dtype != np.uint8:
            raise BatchError(f"PIXELS is {pixels.dtype} {pixels.shape}, not uint8 (n, {_SIZE})")
        out = np.zeros((len(pixels), self.size), np.float32)

        def run(row: int) -> None:
            out[row] = self._session.run(None, {"PIXELS": pixels[row : row + 1]})[0][0]

        if len(pixels) == 1:
            run(0)
        else:
            list(self._pool.map(run, range(len(pixels))))
        return out
