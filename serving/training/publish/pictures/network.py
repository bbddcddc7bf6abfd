"""EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946) as ONNX, without its classifier.

The graph takes PIXELS uint8 (n, SIDE * SIDE * 3), rows of red, green and blue, and gives unit
vectors float32 (n, PICTURE_VECTOR_SIZE): roots of the features, so that no few channels decide (the
Hellinger kernel, Arandjelovic and Zisserman 2012), and behind them the colours (colours.py), which
the features say little of. The int8 one has fixed ranges: pixels go into the first product as they
come, for (pixel - 127) / 128 is what the network was trained on, and ReLU6 is where a range ends.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from features.arrays import FloatArray
from serving.models.contract import PICTURE_SIDE, PICTURE_VECTOR_SIZE
from serving.training.publish.onnx_graph import FUSED, Graph
from serving.training.publish.pictures.colours import add_colours

_OPSET = 18
_IR_VERSION = 9
_STRIDED = (1, 3, 5, 11)  # blocks that halve width and height
_EPSILON = 1e-3  # of the batch normalisations
_MIDDLE, _SPREAD = 127, 128.0  # of a pixel
# AVX2 adds two products in 16 bits. Two weights of 96 overflow them only behind two inputs near
# their upper ends. At 64, which never does, vectors are further from float32, and at 127 as well.
_MAX_WEIGHT = 96
_MAX_BIAS = 2.0**30
_RELU6 = 6.0
_REACH = 4.0  # spreads from its middle that a channel gets

Weights = Mapping[str, FloatArray]
Ranges = Mapping[str, tuple[float, float]]
"""Smallest and largest number of each layer's output, by its name; a sum's has `.sum` behind it."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution with its normalisation folded in.

    weight: (out, in / groups, size, size); bias: (out,); middle, spread: (out,), of what comes out
    before ReLU6, as the normalisation knows it of ImageNet; clipped: ReLU6 follows; read: the
    tensor that it reads; added: the tensor that is added to what comes out
    """

    name: str
    weight: FloatArray
    bias: FloatArray
    middle: FloatArray
    spread: FloatArray
    read: str
    stride: int = 1
    clipped: bool = True
    added: str | None = None

    @property
    def groups(self) -> int:
        """One a channel, or one."""
        n_out, n_in = self.weight.shape[:2]
        return n_out if n_in == 1 else 1

    @property
    def attributes(self) -> dict[str, Any]:
        """Of the node. The padding is TensorFlow's: of an odd one more stands behind."""
        size = self.weight.shape[-1]
        total = size - self.stride  # what comes in has an even number of rows
        before = total // 2
        pads = [before, before, total - before, total - before]
        return {"strides": [self.stride] * 2, "pads": pads, "group": self.groups}

    @property
    def output(self) -> str:
        """The tensor that the next layer reads."""
        return f"{self.name}.sum" if self.added else self.name


def layers_of(weights: Weights) -> Iterator[Layer]:
    """From the names of the package's state dict."""
    read = "planes"

    def layer(name: str, conv: str, norm: str, **more: object) -> Layer:
        nonlocal read
        gain, middle = weights[f"{norm}.weight"], weights[f"{norm}.bias"]
        scale = gain / np.sqrt(weights[f"{norm}.running_var"] + _EPSILON)
        bias = middle - weights[f"{norm}.running_mean"] * scale
        weight = weights[f"{conv}.weight"] * scale[:, None, None, None]
        made = Layer(name, weight, bias, middle, np.abs(gain), read, **more)  # type: ignore[arg-type]
        read = made.output
        return made

    last = layer("stem", "_conv_stem", "_bn0", stride=2)
    yield last
    n_blocks = sum(name.endswith("_project_conv.weight") for name in weights)
    for number in range(n_blocks):
        block, before = f"_blocks.{number}", last
        stride = 2 if number in _STRIDED else 1
        if f"{block}._expand_conv.weight" in weights:
            yield layer(f"{number}.expand", f"{block}._expand_conv", f"{block}._bn0")
        yield layer(
            f"{number}.depth", f"{block}._depthwise_conv", f"{block}._bn1", stride=stride
        )  # fmt: skip
        n_in, n_out = len(before.bias), len(weights[f"{block}._bn2.bias"])
        added = before.output if stride == 1 and n_in == n_out else None
        last = layer(
            f"{number}.project", f"{block}._project_conv", f"{block}._bn2",
            clipped=False, added=added,
        )  # fmt: skip
        yield last
    yield layer("head", "_conv_head", "_bn1")


def evened(layers: Iterable[Layer]) -> Iterator[Layer]:
    """The same network with channels of about one size, which int8 needs: a step is a tensor's.

    What a channel is multiplied by the next layer divides it by (data-free quantization, Nagel et
    al. 2019, arXiv 1906.04721). How large a channel gets is read from its normalisation.
    """
    scale_of: dict[str, FloatArray] = {"planes": np.ones(3, np.float32)}
    for layer in layers:
        if layer.clipped:  # where ReLU6 cuts depends on how large a channel is
            scale = np.ones_like(layer.bias)
        elif layer.added is not None:
            scale = scale_of[layer.added]  # what is added up has one scale
        else:
            size = np.abs(layer.middle) + _REACH * layer.spread
            scale = size.max() / np.maximum(size, 1e-2 * size.max())
        scale = scale.astype(np.float32)
        before = scale_of[layer.read]
        inputs = before[:, None] if layer.groups > 1 else before[None, :]
        weight = layer.weight * (scale[:, None] / inputs)[:, :, None, None]
        scale_of[layer.name] = scale_of[layer.output] = scale
        yield replace(layer, weight=weight, bias=layer.bias * scale)


def build_float(layers: Iterable[Layer], told: bool = False) -> bytes:
    """The network in float32. told: every layer's output is one of the graph, too."""
    graph = Graph()
    pixels = graph.node("Cast", [_planes(graph)], "pixels_float", to=TensorProto.FLOAT)
    middle = graph.floats("middle", np.array(_MIDDLE))
    centred = graph.node("Sub", [pixels, middle], "centred")
    x = graph.node("Div", [centred, graph.floats("spread", np.array(_SPREAD))], "normed")
    outputs = []
    for layer in layers:
        name = layer.name
        inputs = [x, graph.floats(f"{name}.w", layer.weight), graph.floats(f"{name}.b", layer.bias)]
        x = graph.node(
            "Conv", inputs, f"{name}.product" if layer.clipped else name, **layer.attributes
        )
        if layer.clipped:
            low, high = (graph.floats(f"{name}.{end}", np.array(end)) for end in (0.0, _RELU6))
            x = graph.node("Clip", [x, low, high], name)
        outputs.append(name)
        if layer.added is not None:
            x = graph.node("Add", [x, layer.added], layer.output)
            outputs.append(x)
    return _model(graph, x, outputs if told else [])


def build_int8(layers: Iterable[Layer], ranges: Ranges) -> bytes:
    """The network in products of uint8 and int8. layers: evened; ranges: of these."""
    graph = Graph()
    step_of: dict[str, float] = {"planes": 1 / _SPREAD}
    _range(graph, "planes", 1 / _SPREAD, _MIDDLE)
    x = _planes(graph)
    for layer in layers:
        name = layer.name
        # A channel that is nothing but its bias has steps that the bias fits into.
        least = np.maximum(np.abs(layer.bias) / (step_of[x] * _MAX_BIAS), 1e-12)
        steps = np.maximum(np.abs(layer.weight).max(axis=(1, 2, 3)) / _MAX_WEIGHT, least)
        whole = np.round(layer.weight / steps[:, None, None, None]).astype(np.int8)
        bias = np.round(layer.bias / (steps * step_of[x])).astype(np.int32)
        step_of[name] = _output_range(graph, name, ranges[name], layer.clipped)
        inputs = [
            *_ranged(x), graph.constant(f"{name}.w", whole),
            graph.floats(f"{name}.w_step", steps),
            graph.constant(f"{name}.w_zero", np.zeros(len(steps), np.int8)),
            *_ranged(name)[1:], graph.constant(f"{name}.b", bias),
        ]  # fmt: skip
        x = graph.node("QLinearConv", inputs, name, **layer.attributes)
        if layer.added is not None:
            total = layer.output
            step_of[total] = _output_range(graph, total, ranges[total], clipped=False)
            summed = [*_ranged(x), *_ranged(layer.added), *_ranged(total)[1:]]
            x = graph.node("QLinearAdd", summed, total, FUSED)
    return _model(graph, graph.node("DequantizeLinear", _ranged(x), "head_float"), [])


def _planes(graph: Graph) -> str:
    """(n, 3, SIDE, SIDE)"""
    shape = np.array([-1, PICTURE_SIDE, PICTURE_SIDE, 3], np.int64)
    rows = graph.node("Reshape", ["PIXELS", graph.constant("shape", shape)], "rows")
    return graph.node("Transpose", [rows], "planes", perm=[0, 3, 1, 2])


def _output_range(graph: Graph, name: str, ends: tuple[float, float], clipped: bool) -> float:
    low, high = min(ends[0], 0.0), max(ends[1], 1e-3)
    if clipped:
        low, high = 0.0, min(high, _RELU6)
    step = (high - low) / 255
    return _range(graph, name, step, round(-low / step))


def _range(graph: Graph, name: str, step: float, zero: int) -> float:
    graph.floats(f"{name}.step", np.array(step))
    graph.constant(f"{name}.zero", np.array(zero, np.uint8))
    return float(np.float32(step))


def _ranged(tensor: str) -> list[str]:
    return [tensor, f"{tensor}.step", f"{tensor}.zero"]


def _model(graph: Graph, features: str, outputs: list[str]) -> bytes:
    pooled = graph.node("GlobalAveragePool", [features], "pooled")
    shapes = graph.node("Sqrt", [graph.node("Flatten", [pooled], "flat")], "shapes_roots")
    shapes = graph.node("LpNormalization", [shapes], "shapes", axis=-1, p=2)
    both = graph.node("Concat", [shapes, add_colours(graph, "planes")], "both", axis=-1)
    graph.node("LpNormalization", [both], "VECTORS", axis=-1, p=2)
    size = PICTURE_SIDE * PICTURE_SIDE * 3
    taken = helper.make_tensor_value_info("PIXELS", TensorProto.UINT8, ["n", size])
    given = [
        helper.make_tensor_value_info("VECTORS", TensorProto.FLOAT, ["n", PICTURE_VECTOR_SIZE]),
        *(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs),
    ]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "picture_encoder", [taken], given, graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(FUSED, 1)],
        ir_version=_IR_VERSION,
    )
    onnx.checker.check_model(model) if not outputs else None
    return bytes(model.SerializeToString())
