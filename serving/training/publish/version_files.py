"""The files of one version: the code that runs it, the text tower and the items' vectors."""

import shutil
from pathlib import Path

import numpy as np

from serving.models.runtime.text_vectors import KeyArray, TextEncoder
from serving.training.publish.base_model import Weights
from serving.training.publish.encoder_onnx import build_float, build_int8, calibrate
from serving.training.publish.execution import CPU, Execution, execution_of
from serving.training.publish.parity import Parity, ParityLimits, tower_parity
from serving.training.publish.texts import TokenArray, random_texts

_ROOT = Path(__file__).resolve().parents[3]
CODE = (
    "serving/__init__.py",
    "serving/models/__init__.py",
    "serving/models/contract.py",
    "serving/models/columns/__init__.py",
    "serving/models/columns/families.py",
    "serving/models/packing.py",
    "serving/models/runtime/contributions.py",
    "serving/models/runtime/scoring.py",
    "serving/models/runtime/__init__.py",
    "serving/models/runtime/answering.py",
    "serving/models/runtime/pairs.py",
    "serving/models/runtime/picture_vectors.py",
    "serving/models/runtime/sealed.py",
    "serving/models/runtime/ranking.py",
    "serving/models/runtime/text_vectors.py",
)
_N_CALIBRATION = 256
_N_COMPARED = 128
_MIN_COMPARED = 50
_SEED = 20


def add_code(folder: Path, model: str) -> None:
    """Copy the code that runs `model`: a version must not change when the source tree does."""
    shutil.copyfile(_ROOT / "serving/models/runtime" / model / "model.py", folder / "model.py")
    for name in CODE:
        target = folder / "code" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_ROOT / name, target)


def add_tower(
    folder: Path, weights: Weights, tokens: TokenArray, precision: str, scratch: Path
) -> Parity | None:
    """Write text_encoder.onnx into `folder`, and the float32 tower into `scratch`; compare them.

    tokens: (n, length). Every second distinct text calibrates int8; the others are compared.
    None where the tower cannot run: float16 without a GPU.
    """
    published, exact = folder / "text_encoder.onnx", scratch / "text_encoder.onnx"
    exact.write_bytes(build_float(weights))
    rows = np.random.default_rng(_SEED).permutation(np.unique(tokens[tokens.any(axis=1)], axis=0))
    texts = [row[: np.count_nonzero(row)].astype(np.int32) for row in rows]
    seen, held_out = texts[::2][:_N_CALIBRATION], texts[1::2][:_N_COMPARED]
    if len(held_out) < _MIN_COMPARED:
        held_out += random_texts(_N_COMPARED, _SEED + 1)
    if precision == "float16":
        published.write_bytes(build_float(weights, "float16"))
    else:
        # Random words as well: a shop's later items and its shoppers' queries may be unlike these.
        ranges = calibrate(weights, [*seen, *random_texts(_N_CALIBRATION // 2, _SEED)])
        published.write_bytes(build_int8(weights, ranges))
    execution = execution_of(precision)
    return tower_parity(exact, published, held_out, execution) if execution else None


def add_tower_alone(
    folder: Path,
    model: str,
    base: Path,
    weights: Weights,
    tokens: TokenArray,
    precision: str,
    limits: ParityLimits | None,
) -> Parity | None:
    """Fill `folder` with a version that is little more than a tower; see add_tower.

    The float32 tower is left in the folder above. Raises ParityError.
    """
    folder.mkdir()
    add_code(folder, model)
    parity = add_tower(folder, weights, tokens, precision, folder.parent)
    if parity is not None:
        parity.check(limits or ParityLimits())
    shutil.copyfile(base / "tokenizer.json", folder / "tokenizer.json")
    return parity


def add_item_vectors(
    folder: Path, keys: KeyArray, tokens: TokenArray, threads: int, execution: Execution = CPU
) -> None:
    """Write item_vectors.npz: keys int64 (n,) and vectors float16 (n, size), of distinct keys.

    keys: of texts, (n_texts,), by which the model remembers them; tokens: (n_texts, length) of
    these texts; a text without tokens gets no vector.
    """
    has_text = tokens.any(axis=1)
    keys, first = np.unique(keys[has_text], return_index=True)
    tower = folder / "text_encoder.onnx"
    encoder = TextEncoder(tower, threads, tokens.shape[1], execution.providers, execution.batch)
    vectors = encoder.encode(tokens[has_text][first]).astype(np.float16)
    np.savez(folder / "item_vectors.npz", keys=keys, vectors=vectors)
