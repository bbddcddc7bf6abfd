"""Collects the nodes and constants of an ONNX graph."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from features.arrays import FloatArray

FUSED = "com.microsoft"  # ONNX Runtime's own operators


class Graph:
    """Nodes and constants in the order in which they are added; a tensor is known by its name."""

    dtype: np.dtype[np.float32] | np.dtype[np.float16] = np.dtype(np.float32)

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(
        self, op: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any
    ) -> str:
        self.nodes.append(
            helper.make_node(op, inputs, [output], output, domain=domain, **attributes)
        )
        return output

    def constant(self, name: str, values: npt.NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def floats(self, name: str, values: npt.NDArray[np.floating[Any]]) -> str:
        return self.constant(name, values.astype(self.dtype))

    def linear(self, layer: str, x: str, weight: FloatArray, bias: FloatArray) -> tuple[str, str]:
        """x @ weight.T in `layer`, and the name of the bias, still to be added to it."""
        raise NotImplementedError


class FloatGraph(Graph):
    """Linear layers as plain products."""

    def __init__(self, dtype: "np.dtype[np.float32] | np.dtype[np.float16]") -> None:
        super().__init__()
        self.dtype = dtype
        self.input_of: dict[str, str] = {}  # layer -> tensor

    def linear(self, layer: str, x: str, weight: FloatArray, bias: FloatArray) -> tuple[str, str]:
        self.input_of[layer] = x
        product = self.node("MatMul", [x, self.floats(f"{layer}.w", weight.T)], f"{layer}.product")
        return product, self.floats(f"{layer}.b", bias)
