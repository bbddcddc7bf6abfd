"""What the CPU answers, with the files that are published: vectors and scores to compare with."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.models.runtime.ranking import VersionRanker
from serving.models.runtime.text_vectors import TextEncoder
from serving.training.publish.base_model import base_folder, merged_weights
from serving.training.publish.parity import ParityLimits
from serving.training.publish.texts import with_slate_texts
from serving.training.publish.version_files import add_tower

Arrays = dict[str, npt.NDArray[Any]]
_THREADS = 2


@dataclass(slots=True)
class References:
    """keys int64 (n,) and tokens int16 (n, width): distinct texts of the slates; by_name:
    `float32.vectors` (n, size), `float32.scores` and `int8.scores` (R,); the published int8 graph.
    """

    keys: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int16]
    by_name: Arrays
    int8_graph: bytes
    n_words: int = 0


def references(
    bundle: Path, training: Mapping[str, Any], slates: Arrays, scratch: Path
) -> References:
    """Publish the bundle's tower into `scratch` as serving/training/publish does, and ask it.

    Raises ParityError when the gate would not have let it pass.
    """
    folder = scratch / "int8"
    folder.mkdir()
    for name in ("training.json", *(f"{member}.onnx" for member in training["blend"])):
        shutil.copyfile(bundle / name, folder / name)
    max_tokens = int(training["max_tokens"])
    parity = add_tower(
        folder,
        merged_weights(bundle, base_folder()),
        with_slate_texts(np.zeros((0, max_tokens), np.int16), bundle / "held_out.npz"),
        "int8",
        scratch,
    )
    if parity is not None:
        parity.check(ParityLimits())
    exact = Path(shutil.copytree(folder, scratch / "float32"))
    shutil.copyfile(scratch / "text_encoder.onnx", exact / "text_encoder.onnx")
    keys, tokens = distinct_texts(slates)
    by_name: Arrays = {}
    for name, version in (("float32", exact), ("int8", folder)):
        encoder = TextEncoder(version / "text_encoder.onnx", _THREADS, max_tokens)
        vectors = encoder.encode(tokens)
        np.savez(version / "item_vectors.npz", keys=keys, vectors=vectors.astype(np.float16))
        scores, _ = VersionRanker(version, _THREADS, memory=len(keys)).score(slates)
        by_name[f"{name}.scores"] = scores
        if name == "float32":
            by_name["float32.vectors"] = vectors
    return References(keys, tokens, by_name, (folder / "text_encoder.onnx").read_bytes())


def distinct_texts(slates: Arrays) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int16]]:
    """Keys (n,) and tokens (n, width) of the texts of candidates and histories, each once."""
    keys = np.concatenate([slates["ITEM_KEYS"], slates["HISTORY_KEYS"]])
    tables = (slates["ITEM_TOKENS"], slates["HISTORY_TOKENS"])
    tokens = np.zeros((len(keys), max(rows.shape[1] for rows in tables)), np.int16)
    at = 0
    for rows in tables:
        tokens[at : at + len(rows), : rows.shape[1]] = rows
        at += len(rows)
    distinct, first = np.unique(keys, return_index=True)
    has_text = tokens[first].any(axis=1)
    return distinct[has_text], tokens[first[has_text]]
