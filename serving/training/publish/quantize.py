"""int8 for the text tower: uint8 x int8 products with input ranges that are fixed beforehand.

Weights are symmetric per output column, in 7 bits. Two products then fit the 16 bits in which AVX2
adds them, and every CPU gives the same sums.

A few channels of BERT's activations are ten times as large as the others. Each linear layer's input
is therefore scaled per channel, and its weights inversely (SmoothQuant, Xiao et al. 2022, arXiv
2211.10438). It is also shifted to the middle of each channel's range (Outlier Suppression+, Wei et
al. 2023, arXiv 2304.09145). docs/model-server.md has the measured effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.arrays import FloatArray
from serving.training.publish.onnx_graph import FUSED, Graph

_MAX_WEIGHT = 64  # 255 * 64 * 2 < 2 ** 15
_SMALL = 1e-4


@dataclass(frozen=True, slots=True)
class Range:
    """Smallest and largest input of each channel of a linear layer: float32 (n_in,)."""

    low: FloatArray
    high: FloatArray


class Int8Graph(Graph):
    """Linear layers as uint8 x int8 products with fixed input ranges."""

    def __init__(self, ranges: Mapping[str, Range]) -> None:
        super().__init__()
        self._ranges = ranges

    def linear(self, layer: str, x: str, weight: FloatArray, bias: FloatArray) -> tuple[str, str]:
        span = self._ranges[layer]
        shift, scale = _balance(layer, span, weight)
        if shift.any():
            x = self.node("Sub", [x, self.floats(f"{layer}.shift", shift)], f"{layer}.shifted")
        if (scale != 1).any():
            x = self.node("Mul", [x, self.floats(f"{layer}.scale", 1 / scale)], f"{layer}.scaled")
        low = min(float(((span.low - shift) / scale).min()), 0.0)
        high = max(float(((span.high - shift) / scale).max()), 0.0)
        step = np.float32((high - low) / 255)
        zero = np.uint8(np.clip(round(-low / float(step)), 0, 255))
        columns = (weight * scale).T
        column_step = np.maximum(np.abs(columns).max(axis=0), _SMALL) / _MAX_WEIGHT
        quantized = self.node(
            "QuantizeLinear",
            [
                x,
                self.constant(f"{layer}.x_step", np.asarray(step)),
                self.constant(f"{layer}.x_zero", np.asarray(zero)),
            ],
            f"{layer}.x",
        )
        product = self.node(
            "MatMulIntegerToFloat",
            [
                quantized,
                self.constant(f"{layer}.w", np.round(columns / column_step).astype(np.int8)),
                f"{layer}.x_step",
                self.floats(f"{layer}.w_step", column_step),
                f"{layer}.x_zero",
                self.constant(f"{layer}.w_zero", np.zeros(len(column_step), np.int8)),
            ],
            f"{layer}.product",
            FUSED,
        )
        return product, self.floats(f"{layer}.b", bias + weight @ shift)


def _balance(layer: str, span: Range, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shift and scale of each input channel that make the layer's inputs easy to quantise."""
    none = np.zeros_like(span.low), np.ones_like(span.low)
    if layer.endswith("attention.output"):
        return none  # even_attention_outputs has scaled the weights instead
    if layer.endswith("output"):
        # After GELU: one-sided, nearly all of it close to zero. Only the few large ones are cut.
        return none[0], _level(np.maximum(span.high, -span.low), 0.98)
    shift = (span.low + span.high) / 2
    size = np.maximum((span.high - span.low) / 2, _SMALL)
    scale = size**0.7 / np.maximum(np.abs(weight).max(axis=0), _SMALL) ** 0.3
    return shift.astype(np.float32), (scale / scale.mean()).astype(np.float32)


def _level(size: FloatArray, quantile: float) -> FloatArray:
    """Divisors that bring the channels above `quantile` of all sizes down to it."""
    size = np.maximum(size, np.float32(_SMALL))
    divisors: FloatArray = np.maximum(size / np.quantile(size, quantile), 1).astype(np.float32)
    return divisors


def even_attention_outputs(
    weights: Mapping[str, FloatArray], ranges: Mapping[str, Range]
) -> tuple[dict[str, FloatArray], dict[str, Range]]:
    """Scale each layer's value channels to one size, and the weights after them inversely.

    Attention only averages values, so in exact arithmetic the output stays the same, at no cost.
    Returns the scaled weights and their input ranges.
    """
    even, even_ranges = dict(weights), dict(ranges)
    for layer in [name for name in ranges if name.endswith("attention.output")]:
        span = ranges[layer]
        scale = _level(np.maximum(span.high, -span.low), 0.5)
        even_ranges[layer] = Range(span.low / scale, span.high / scale)
        value = layer.replace("attention.output", "attention.self.value")
        even[f"{value}.weight"] = weights[f"{value}.weight"] / scale[:, None]
        even[f"{value}.bias"] = weights[f"{value}.bias"] / scale
        even[f"{layer}.dense.weight"] = weights[f"{layer}.dense.weight"] * scale
    return even, even_ranges
