"""The text tower as ONNX, built from weights without torch.

The graph takes token ids int32 (n, length), all of one length, without padding. It gives unit
vectors float32 (n, 384): BERT, the mean over tokens, scaled to length 1. It has no mask, because
texts are never padded together (models/runtime/text_vectors.py); so a text's vector does not depend
on its batch.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from features.arrays import FloatArray, IntArray
from serving.training.publish.base_model import Weights, WeightsError, n_layers
from serving.training.publish.onnx_graph import FUSED, FloatGraph, Graph
from serving.training.publish.quantize import Int8Graph, Range, even_attention_outputs

N_HEADS = 12
_OPSET = 18
_IR_VERSION = 9
_EPSILON = 1e-12


def build_float(weights: Weights, dtype: Literal["float32", "float16"] = "float32") -> bytes:
    """The tower in floats. float16 is for a GPU: ONNX Runtime has no CPU kernels for it."""
    return _bytes(_tower(weights, FloatGraph(np.dtype(dtype))))


def build_int8(weights: Weights, ranges: Mapping[str, Range]) -> bytes:
    """The tower in int8 for a CPU, with input ranges from `calibrate`."""
    even, even_ranges = even_attention_outputs(weights, ranges)
    return _bytes(_tower(even, Int8Graph(even_ranges)))


def calibrate(weights: Weights, texts: Sequence[IntArray]) -> dict[str, Range]:
    """Input ranges of each linear layer over `texts`, each int32 (length,)."""
    graph = FloatGraph(np.dtype(np.float32))
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


def _bytes(model: onnx.ModelProto) -> bytes:
    serialized: bytes = model.SerializeToString()
    return serialized


def _tower(weights: Weights, graph: Graph) -> onnx.ModelProto:
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
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(FUSED, 1)],
        ir_version=_IR_VERSION,
    )


def _embed(weights: Weights, graph: Graph) -> str:
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


def _block(weights: Weights, graph: Graph, block: str, x: str) -> str:
    def dense(name: str) -> tuple[FloatArray, FloatArray]:
        return weights[f"{block}.{name}.weight"], weights[f"{block}.{name}.bias"]

    def add_and_norm(product: str, bias: str, skip: str, name: str) -> str:
        scale, shift = (weights[f"{block}.{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        norm = [graph.floats(f"{block}.{name}.{i}", v) for i, v in enumerate((scale, shift))]
        return graph.node(
            "SkipLayerNormalization",
            [product, skip, *norm, bias],
            f"{block}.{name}.normed",
            FUSED,
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
    wide = graph.node("BiasGelu", [product, add], f"{block}.gelu", FUSED)
    product, add = graph.linear(f"{block}.output", wide, *dense("output.dense"))
    return add_and_norm(product, add, x, "output")


def _attention(graph: Graph, name: str, x: str, weight: FloatArray, bias: FloatArray) -> str:
    product, add = graph.linear(f"{name}.self", x, weight, bias)
    joined = graph.node("Add", [product, add], f"{name}.joined")
    outputs = [f"{name}.{part}" for part in ("query", "key", "value")]
    graph.nodes.append(helper.make_node("Split", [joined], outputs, name, axis=-1, num_outputs=3))
    return graph.node("MultiHeadAttention", outputs, f"{name}.attended", FUSED, num_heads=N_HEADS)
