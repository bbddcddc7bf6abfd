"""The text tower as ONNX, built from weights alone: no torch, so a bare machine can publish.

Graph: token ids int32 (n, length), all of one length, without padding, to unit vectors float32
(n, 384): BERT, mean over tokens, length 1. There is no mask because texts are never padded
together (model_repository/text_vectors.py), which is also what makes an encoding independent of
its batch.

int8: weights are symmetric per output column, activations have fixed ranges found by `calibrate`,
so nothing depends on the batch. Weights use 7 bits: two products of uint8 x int8 then fit the 16
bits in which AVX2 adds them, and every CPU gives the same sums. BERT's activations have a few
channels of ten times the usual size; each linear layer's input is therefore scaled per channel and
its weights the other way (SmoothQuant, Xiao et al. 2022, arXiv 2211.10438), with a shift to the
middle of each channel's range (Outlier Suppression+, Wei et al. 2023, arXiv 2304.09145). What that
buys is in docs/model-server.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

FloatArray = npt.NDArray[np.float32]
TokenArray = npt.NDArray[np.int32]
Weights = Mapping[str, FloatArray]

N_HEADS = 12
_OPSET = 18
_IR_VERSION = 9
_FUSED = "com.microsoft"
_EPSILON = 1e-12
_MAX_WEIGHT = 64  # 255 * 64 * 2 < 2 ** 15
_SMALL = 1e-4


class WeightsError(ValueError):
    """Weights or a delta that do not fit the network."""


@dataclass(frozen=True, slots=True)
class Range:
    """Smallest and largest input of each channel of a linear layer: float32 (n_in,)."""

    low: FloatArray
    high: FloatArray


def base_weights(folder: Path) -> dict[str, FloatArray]:
    """Weights of transformers' BertModel as `model.safetensors` in `folder` has them."""
    tensors: dict[str, FloatArray] = load_file(folder / "model.safetensors")
    return {name: tensor for name, tensor in tensors.items() if tensor.dtype == np.float32}


def merge_delta(weights: Weights, delta: Mapping[str, npt.NDArray[np.generic]]) -> Weights:
    """`weights` plus B @ A for each `<module>.lora_A` (r, in) and `<module>.lora_B` (out, r)."""
    merged = dict(weights)
    modules = {name.rpartition(".")[0] for name in delta}
    for module in sorted(modules):
        try:
            a, b = (delta[f"{module}.lora_{part}"].astype(np.float32) for part in "AB")
            merged[f"{module}.weight"] = weights[f"{module}.weight"] + b @ a
        except (KeyError, ValueError) as error:
            raise WeightsError(f"delta of {module!r} does not fit the network: {error}") from None
    return merged


def build_float(weights: Weights, dtype: Literal["float32", "float16"] = "float32") -> bytes:
    """The tower in floats. float16 is for a GPU: ONNX Runtime has no CPU kernels for it."""
    return _bytes(_tower(weights, _FloatGraph(np.dtype(dtype))))


def build_int8(weights: Weights, ranges: Mapping[str, Range]) -> bytes:
    """The tower in int8 for a CPU, with input ranges from `calibrate`."""
    weights = _even_attention_outputs(weights, ranges)
    return _bytes(_tower(weights, _Int8Graph(ranges)))


def calibrate(weights: Weights, texts: Sequence[TokenArray]) -> dict[str, Range]:
    """Input ranges of each linear layer over `texts`, each int32 (length,)."""
    graph = _FloatGraph(np.dtype(np.float32))
    model = _tower(weights, graph)
    taps = dict.fromkeys(graph.input_of.values())
    for name in taps:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = open_session(_bytes(model))
    low: dict[str, FloatArray] = {}
    high: dict[str, FloatArray] = {}
    for text in texts:
        outputs = session.run(list(taps), {"tokens": text[None]})
        for name, values in zip(taps, outputs, strict=True):
            low[name] = np.minimum(low.get(name, np.inf), values[0].min(axis=0))
            high[name] = np.maximum(high.get(name, -np.inf), values[0].max(axis=0))
    return {layer: Range(low[name], high[name]) for layer, name in graph.input_of.items()}


def open_session(model: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """The graph, ready to run on this CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class _Graph:
    """ONNX nodes and constants as they are added; a tensor is known by its name."""

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
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def floats(self, name: str, values: npt.NDArray[np.floating[Any]]) -> str:
        return self.constant(name, values.astype(self.dtype))

    def linear(self, layer: str, x: str, weight: FloatArray, bias: FloatArray) -> tuple[str, str]:
        """x @ weight.T in `layer`, and the name of the bias, still to be added to it."""
        raise NotImplementedError


class _FloatGraph(_Graph):
    """Linear layers as plain products."""

    def __init__(self, dtype: "np.dtype[np.float32] | np.dtype[np.float16]") -> None:
        super().__init__()
        self.dtype = dtype
        self.input_of: dict[str, str] = {}  # layer -> tensor

    def linear(self, layer: str, x: str, weight: FloatArray, bias: FloatArray) -> tuple[str, str]:
        self.input_of[layer] = x
        product = self.node("MatMul", [x, self.floats(f"{layer}.w", weight.T)], f"{layer}.product")
        return product, self.floats(f"{layer}.b", bias)


class _Int8Graph(_Graph):
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
            _FUSED,
        )
        return product, self.floats(f"{layer}.b", bias + weight @ shift)


def _balance(layer: str, span: Range, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shift and scale of each input channel that make the layer's inputs easy to quantise."""
    none = np.zeros_like(span.low), np.ones_like(span.low)
    if layer.endswith("attention.output"):
        return none  # done to the weights: _even_attention_outputs
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


def _even_attention_outputs(weights: Weights, ranges: Mapping[str, Range]) -> Weights:
    """Scale the value channels of each layer to one size, and the next weights the other way.

    Attention only averages values, so this changes nothing in exact arithmetic and costs nothing.
    """
    even = dict(weights)
    for index in range(n_layers(weights)):
        block = f"encoder.layer.{index}.attention"
        span = ranges[f"{block}.output"]
        scale = _level(np.maximum(span.high, -span.low), 0.5)
        value, output = f"{block}.self.value", f"{block}.output.dense"
        even[f"{value}.weight"] = weights[f"{value}.weight"] / scale[:, None]
        even[f"{value}.bias"] = weights[f"{value}.bias"] / scale
        even[f"{output}.weight"] = weights[f"{output}.weight"] * scale
    return even


def n_layers(weights: Weights) -> int:
    """How many transformer layers `weights` has."""
    return sum(name.endswith("attention.self.query.weight") for name in weights)


def _bytes(model: onnx.ModelProto) -> bytes:
    serialized: bytes = model.SerializeToString()
    return serialized


def _tower(weights: Weights, graph: _Graph) -> onnx.ModelProto:
    try:
        x = _embed(weights, graph)
        for index in range(n_layers(weights)):
            x = _block(weights, graph, f"encoder.layer.{index}", x)
    except KeyError as error:
        raise WeightsError(f"no weights for {error}") from None
    if graph.dtype != np.float32:
        x = graph.node("Cast", [x], "states", to=TensorProto.FLOAT)
    axes = graph.constant("over_tokens", np.array([1], np.int64))
    x = graph.node("ReduceMean", [x, axes], "mean", keepdims=0)
    graph.node("LpNormalization", [x], "vectors", axis=-1, p=2)
    size = len(weights["embeddings.LayerNorm.weight"])
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            "text_encoder",
            [helper.make_tensor_value_info("tokens", TensorProto.INT32, ["n", "length"])],
            [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", size])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)],
        ir_version=_IR_VERSION,
    )


def _embed(weights: Weights, graph: _Graph) -> str:
    words = weights["embeddings.word_embeddings.weight"]
    # Two bytes a weight: the table is two thirds of the file, and this loses nothing measurable.
    x = graph.node("Gather", [graph.constant("words", words.astype(np.float16)), "tokens"], "word")
    if graph.dtype == np.float32:
        x = graph.node("Cast", [x], "word_float", to=TensorProto.FLOAT)
    positions = (
        weights["embeddings.position_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][0]  # there is only one segment
    )
    graph.node("Shape", ["tokens"], "length", start=1, end=2)
    table = graph.floats("positions", positions)
    zero = graph.constant("zero", np.array([0], np.int64))
    x = graph.node("Add", [x, graph.node("Slice", [table, zero, "length"], "position")], "embedded")
    scale, bias = (weights[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias"))
    norm = [graph.floats("embeddings.scale", scale), graph.floats("embeddings.bias", bias)]
    return graph.node("LayerNormalization", [x, *norm], "embeddings", axis=-1, epsilon=_EPSILON)


def _block(weights: Weights, graph: _Graph, block: str, x: str) -> str:
    def dense(name: str) -> tuple[FloatArray, FloatArray]:
        return weights[f"{block}.{name}.weight"], weights[f"{block}.{name}.bias"]

    def add_and_norm(product: str, bias: str, skip: str, name: str) -> str:
        scale, shift = (weights[f"{block}.{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        norm = [graph.floats(f"{block}.{name}.{i}", v) for i, v in enumerate((scale, shift))]
        return graph.node(
            "SkipLayerNormalization",
            [product, skip, *norm, bias],
            f"{block}.{name}.normed",
            _FUSED,
            epsilon=_EPSILON,
        )

    parts = [dense(f"attention.self.{name}") for name in ("query", "key", "value")]
    weight, bias = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    attended = _attention(graph, f"{block}.attention", x, weight, bias)
    product, add = graph.linear(
        f"{block}.attention.output", attended, *dense("attention.output.dense")
    )
    x = add_and_norm(product, add, x, "attention.output")
    product, add = graph.linear(f"{block}.intermediate", x, *dense("intermediate.dense"))
    wide = graph.node("BiasGelu", [product, add], f"{block}.gelu", _FUSED)
    product, add = graph.linear(f"{block}.output", wide, *dense("output.dense"))
    return add_and_norm(product, add, x, "output")


def _attention(graph: _Graph, name: str, x: str, weight: FloatArray, bias: FloatArray) -> str:
    product, add = graph.linear(f"{name}.self", x, weight, bias)
    joined = graph.node("Add", [product, add], f"{name}.joined")
    outputs = [f"{name}.{part}" for part in ("query", "key", "value")]
    graph.nodes.append(helper.make_node("Split", [joined], outputs, name, axis=-1, num_outputs=3))
    return graph.node("MultiHeadAttention", outputs, f"{name}.attended", _FUSED, num_heads=N_HEADS)
