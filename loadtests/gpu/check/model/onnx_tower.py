"""The tower in ONNX Runtime, as the model server runs it, where a build for this device is here.

The graphs are carried without their large constants, which are those of the tower in PyTorch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}


class MissingError(RuntimeError):
    """ONNX Runtime, or its build for this device, is not installed."""


class OnnxTower(nn.Module):
    """A graph of the folder; called with tokens of one length, as Tower is."""

    def __init__(
        self, folder: Path, constants: Mapping[str, npt.NDArray[Any]], precision: str, device: str
    ) -> None:
        """Raises MissingError."""
        super().__init__()
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingError(f"onnxruntime: {error}") from None
        provider = PROVIDERS[device]
        if provider not in onnxruntime.get_available_providers():
            raise MissingError(f"this onnxruntime {onnxruntime.__version__} has no {provider}")
        options = onnxruntime.SessionOptions()
        dtype = np.dtype(precision)
        names = (folder / f"{precision}.names").read_text().split()
        values = [
            onnxruntime.OrtValue.ortvalue_from_numpy(
                np.ascontiguousarray(
                    constants[name] if name == "words" else constants[name].astype(dtype)
                )
            )
            for name in names
        ]
        options.add_external_initializers(names, values)
        self._session = onnxruntime.InferenceSession(
            str(folder / f"{precision}.onnx"), options, providers=[provider]
        )
        if provider not in self._session.get_providers():
            raise MissingError(f"{provider} did not start")

    def forward(self, tokens: Tensor) -> Tensor:
        """Vectors float32 (n, size), on the host, of int64 `tokens` (n, length)."""
        inputs = {"tokens": tokens.cpu().numpy().astype(np.int32)}
        return torch.from_numpy(self._session.run(None, inputs)[0])
