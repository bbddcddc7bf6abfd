"""Writes the folder that is carried to a GPU: code, constants, real texts, the CPU's answers.

The float32 tower is carried exactly, all of it but the rows of the word table that no carried text
uses: those are half of its 91 MB, and rounding them all to fit would make "float32" another thing
than what is published. docs/gpu.md.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper
from tokenizers import Tokenizer

from features.catalog.words import query_for
from loadtests.autoscaling.costs import Costs
from loadtests.gpu.check.latency import CANDIDATES
from loadtests.gpu.references import References, references
from loadtests.gpu.trees import forest_arrays
from serving.training.publish.base_model import base_folder, merged_weights
from serving.training.publish.encoder_onnx import build_float
from serving.training.publish.parity import ParityLimits
from serving.training.publish.texts import tokenize

Arrays = dict[str, npt.NDArray[Any]]

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 56 * 2**20  # bytes of the whole folder: what takes it along may take 64 MiB
# What runs there besides loadtests/gpu/check, under the same names.
CODE = (
    "features/__init__.py",
    "features/arrays.py",
    "features/feast_checks.py",
    "loadtests/__init__.py",
    "loadtests/gpu/__init__.py",
    "serving/__init__.py",
    "serving/models/__init__.py",
    "serving/models/runtime/__init__.py",
    "serving/models/runtime/scoring.py",
    "serving/training/__init__.py",
    "serving/training/quality.py",
)
CHECK = "loadtests/gpu/check"
ENTRY = "from loadtests.gpu.check.command import main\n\nraise SystemExit(main())\n"
# Of the sizing table in helm/README.md: how busy a pod is, and in batches of how many requests; the
# call through the Python backend without any work (docs/model-server.md).
BUSY, CPU_REQUESTS, HOP_S = 0.6, 4, 0.0011
_LARGE = 4096  # numbers of a constant from which on it is not left in a graph
_MAX_POSITIONS = 64
_QUERY_TOKENS = 16


class PackError(RuntimeError):
    """What cannot be packed; the message says why."""


def pack(bundle: Path, folder: Path) -> int:
    """Write `folder` anew from a trained bundle; its size in bytes.

    Raises PackError for a bundle whose members are not head and forest, and when the folder would
    be larger than LIMIT.
    """
    training: dict[str, Any] = json.loads((bundle / "training.json").read_text())
    if not (bundle / "held_out.npz").is_file():
        raise PackError(f"{bundle}: no held_out.npz: train it with slates to compare on")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with np.load(bundle / "held_out.npz") as stored:
        slates = {name: stored[name] for name in stored.files}
    with tempfile.TemporaryDirectory() as scratch:
        answers = references(bundle, training, slates, Path(scratch))
    _write_tower(folder, merged_weights(bundle, base_folder()), answers)
    ranker = {f"head.{k}": v for k, v in _head(bundle / "head.onnx").items()}
    if "forest" in training["blend"]:
        trees = forest_arrays(onnx.load(bundle / "forest.onnx"))
        ranker |= {f"forest.{name}": values for name, values in trees.items()}
    _save(folder / "ranker.npz", **ranker)
    _save(folder / "slates.npz", **slates)
    _save(folder / "reference.npz", **answers.by_name)
    for name in training["blend"]:
        shutil.copyfile(bundle / f"{name}.onnx", folder / f"{name}.onnx")
    about = {
        "bundle": {"dataset": training.get("dataset"), "base_sha256": training["base_sha256"]},
        **{name: training[name] for name in ("feature_names", "text_feature_names", "blend")},
        "unlearnt": training.get("unlearnt", {}),
        "limits": asdict(ParityLimits()),
        "n_words": answers.n_words,
        "costs": sizing_costs(),
    }
    (folder / "about.json").write_text(json.dumps(about, indent=1) + "\n")
    _write_code(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > LIMIT:
        raise PackError(f"{folder} has {size / 2**20:.0f} MiB, more than {LIMIT / 2**20:.0f}")
    return size


def constants(graph: bytes) -> Arrays:
    """The constants of a published graph, by name."""
    return {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in onnx.load_model_from_string(graph).graph.initializer
    }


def _save(path: Path, **arrays: Any) -> None:
    np.savez_compressed(path, **arrays)


def _write_tower(folder: Path, weights: Mapping[str, Any], answers: References) -> None:
    exact, int8 = constants(build_float(weights)), constants(answers.int8_graph)
    queries = _queries(answers.tokens)
    used = np.unique(np.concatenate([answers.tokens.ravel(), queries.ravel()])).astype(np.int32)
    texts = {"keys": answers.keys, "tokens": answers.tokens, "queries": queries}
    _save(folder / "texts.npz", **texts)
    answers.n_words = len(exact["words"])
    rows = {**exact, "words": exact["words"][used], "word_ids": used}
    rows["positions"] = exact["positions"][:_MAX_POSITIONS]
    _save(folder / "constants.npz", **rows)
    same = {name for name in int8 if name in exact and np.array_equal(int8[name], exact[name])}
    changed = {name: values for name, values in int8.items() if name not in same}
    _save(folder / "int8.npz", **changed)
    for precision in ("float32", "float16"):
        _write_graph(folder, build_float(weights, precision), precision)


def _write_graph(folder: Path, graph: bytes, precision: str) -> None:
    """The graph without its large constants, and their names: the host has them already."""
    model = onnx.load_model_from_string(graph)
    names = []
    for tensor in model.graph.initializer:
        if tensor.name == "positions":
            short = numpy_helper.to_array(tensor)[:_MAX_POSITIONS]
            tensor.CopyFrom(numpy_helper.from_array(short, tensor.name))
        elif np.prod(tensor.dims) >= _LARGE:
            names.append(tensor.name)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="not-here")
    (folder / f"{precision}.onnx").write_bytes(model.SerializeToString())
    (folder / f"{precision}.names").write_text("\n".join(names) + "\n")


def _queries(tokens: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """What might be typed for each text, as token ids."""
    tokenizer = base_folder() / "tokenizer.json"
    reader = Tokenizer.from_file(str(tokenizer))
    texts = reader.decode_batch([row[row > 0].tolist() for row in tokens])
    queries = tokenize(tokenizer, [query_for(text) for text in texts], _QUERY_TOKENS)
    return queries[:, : int(np.count_nonzero(queries, axis=1).max())]


def _head(path: Path) -> Arrays:
    stored = constants(path.read_bytes())
    needed = {"mean", "std", "low", "high", "match"} | {
        f"{layer}.{part}" for layer in ("first", "second", "last") for part in ("weight", "bias")
    }
    if missing := needed - stored.keys():
        raise PackError(f"{path}: not a head of fit/head.py: no {', '.join(sorted(missing))}")
    return {name: stored[name] for name in needed}


def sizing_costs() -> dict[str, float]:
    """What `sizing.sized` compares with, by name."""
    costs = Costs()
    return {
        "batch_s": costs.batch_s,
        "row_s": costs.row_s,
        "ranker_s": costs.ranker_s,
        "ingress_s": costs.by_model_s,
        "busy": BUSY,
        "cpu_requests": CPU_REQUESTS,
        "hop_s": HOP_S,
        "candidates": CANDIDATES,
    }


def _write_code(folder: Path) -> None:
    checks = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / CHECK).rglob("*.py"))
    for name in (*CODE, *checks):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    (folder / "gpu_check.py").write_text(ENTRY)
