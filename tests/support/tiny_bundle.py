"""A trained bundle in small: a random delta, a linear head, a forest of a few trees."""

import hashlib
import json
from pathlib import Path

import lightgbm
import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper
from onnxmltools.convert import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from safetensors.numpy import save_file

from serving.models.runtime.scoring import TEXT_FEATURES
from serving.training.publish.base_model import base_folder

FEATURES = ("price", "popularity", "age")
WIDTH = len(FEATURES) + len(TEXT_FEATURES)
MAX_TOKENS = 16


def write_bundle(folder: Path, seed: int = 0, forest: bool = True, delta: float = 0.01) -> Path:
    """Write a bundle into `folder`; `delta` is the size of the change to the encoder."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    _write_delta(folder / "encoder_delta.safetensors", rng, delta)
    _write_head(folder / "head.onnx", rng)
    if forest:
        _write_forest(folder / "forest.onnx", rng)
    member = {"weight": 0.5, "mean": 0.1, "std": 2.0}
    base = (base_folder() / "model.safetensors").read_bytes()
    training = {
        "feature_names": FEATURES,
        "text_feature_names": TEXT_FEATURES,
        "blend": {"head": member, "forest": member} if forest else {"head": member},
        "dataset": {"name": "tiny", "seed": seed},
        "metrics": {"ndcg@10": 0.5},
        "max_tokens": MAX_TOKENS,
        "base_sha256": hashlib.sha256(base).hexdigest(),
    }
    (folder / "training.json").write_text(json.dumps(training))
    return folder


def _write_delta(path: Path, rng: np.random.Generator, size: float) -> None:
    tensors = {}
    for index in range(6):
        for name in ("query", "value"):
            module = f"encoder.layer.{index}.attention.self.{name}"
            tensors[f"{module}.lora_A"] = rng.normal(size=(4, 384)).astype(np.float16)
            tensors[f"{module}.lora_B"] = (size * rng.normal(size=(384, 4))).astype(np.float16)
    save_file(tensors, path)


def _write_head(path: Path, rng: np.random.Generator) -> None:
    """score = known features @ weights; an unknown feature counts as zero."""
    weights = rng.normal(size=(WIDTH, 1)).astype(np.float32)
    nodes = [
        helper.make_node("IsNaN", ["features"], ["unknown"]),
        helper.make_node("Where", ["unknown", "zero", "features"], ["known"]),
        helper.make_node("MatMul", ["known", "weights"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, WIDTH])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.zeros((), np.float32), "zero"),
        ],
    )
    opset = [helper.make_opsetid("", 18)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    )


def _write_forest(path: Path, rng: np.random.Generator) -> None:
    x: npt.NDArray[np.float32] = rng.normal(size=(400, WIDTH)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    y = np.nan_to_num(x[:, 0]) - np.nan_to_num(x[:, 3])
    options = {"objective": "regression", "num_leaves": 8, "verbose": -1, "num_threads": 1}
    trees = lightgbm.train(options, lightgbm.Dataset(x, y), num_boost_round=10)
    model = convert_lightgbm(
        trees, initial_types=[("features", FloatTensorType([None, WIDTH]))], target_opset=15
    )
    path.write_bytes(model.SerializeToString())
