"""How much of each colour a picture has: a soft histogram, as nodes of the encoder's graph."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from features.arrays import FloatArray
from serving.training.publish.onnx_graph import Graph

USUAL = Path(__file__).with_name("colours.json")  # what calibrate.py has found
WEIGHT = 0.65  # of the colours beside the shapes, both of length 1
_SIDE = 8  # pixels of a patch, whose mean colour counts
_SPREAD = 0.15  # of a colour's reach, where each channel is 0..1
_LEVELS = np.linspace(0, 1, 4, dtype=np.float32)
# White is paper here, and how much of it there is a crop changes most.
CENTRES: FloatArray = np.stack(np.meshgrid(*[_LEVELS] * 3, indexing="ij"), -1).reshape(-1, 3)[:-1]


def usual_colours() -> FloatArray:
    """The mean of `colours_of` over pictures, (len(CENTRES),): it is taken from each, and then what
    is left tells pictures apart."""
    return np.array(json.loads(USUAL.read_text()), np.float32)


def colours_of(pixels: npt.NDArray[np.uint8]) -> FloatArray:
    """The histogram before the usual one is taken from it, of length 1: (len(CENTRES),) of uint8
    (SIDE, SIDE, 3); what the graph computes."""
    side = pixels.shape[0] // _SIDE
    patches = pixels.reshape(side, _SIDE, side, _SIDE, 3).mean(axis=(1, 3)).reshape(-1, 3) / 255
    away = ((patches[:, None] - CENTRES) ** 2).sum(axis=2)
    roots = np.sqrt(np.exp(-away / (2 * _SPREAD**2)).mean(axis=0))
    found: FloatArray = (roots / np.linalg.norm(roots)).astype(np.float32)
    return found


def add_colours(graph: Graph, planes: str) -> str:
    """The tensor (n, len(CENTRES)) of length WEIGHT of `planes`, uint8 (n, 3, SIDE, SIDE)."""
    floats = graph.node("Cast", [planes], "colours_float", to=TensorProto.FLOAT)
    size = [_SIDE] * 2
    means = graph.node("AveragePool", [floats], "colours_means", kernel_shape=size, strides=size)
    patches = graph.node("Div", [means, graph.floats("colours_255", np.array(255.0))], "patches")
    # |x - c|^2 = |x|^2 - 2 xc + |c|^2, less of which is more.
    scale = 1 / (2 * _SPREAD**2)
    weight = graph.floats("colours_w", (2 * scale * CENTRES)[:, :, None, None])
    bias = graph.floats("colours_b", -scale * (CENTRES**2).sum(axis=1))
    near = graph.node("Conv", [patches, weight, bias], "colours_near")
    squares = graph.node("Mul", [patches, patches], "patches_squared")
    ones = graph.floats("colours_ones", np.full((1, 3, 1, 1), scale, np.float32))
    own = graph.node("Conv", [squares, ones], "patches_own")
    share = graph.node("Exp", [graph.node("Sub", [near, own], "colours_log")], "colours_share")
    pooled = graph.node("GlobalAveragePool", [share], "colours_pooled")
    roots = graph.node("Sqrt", [graph.node("Flatten", [pooled], "colours_flat")], "colours_roots")
    told = graph.node("LpNormalization", [roots], "colours_told", axis=-1, p=2)
    less = graph.node("Sub", [told, graph.floats("colours_usual", usual_colours())], "colours_less")
    unit = graph.node("LpNormalization", [less], "colours_unit", axis=-1, p=2)
    return graph.node("Mul", [unit, graph.floats("colours_weight", np.array(WEIGHT))], "colours")
