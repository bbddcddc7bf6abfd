"""The trained bundle: what training writes, publishing reads and evaluation scores with.

encoder_delta.safetensors  `<module>.lora_A` (r, in), `<module>.lora_B` (out, r), float16:
                           the tuned weight is the base weight plus B @ A
head.onnx, forest.onnx     `features` float32 (R, F + T), NaN = unknown, to one score (R, 1)
training.json              column names, blend, data, seed, objective, metrics
held_out.npz               slates for the parity gate of publishing (docs/quality.md)
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnxruntime
from safetensors.numpy import load_file, save_file

from features.behavior.matrix import FEATURE_NAMES
from serving.models.runtime.scoring import TEXT_FEATURES, text_features
from serving.training.arrays import FloatArray
from serving.training.data.slates import Slates
from serving.training.fit.forest import forest_onnx
from serving.training.fit.head import head_onnx
from serving.training.fit.network import Head, TextTower
from serving.training.publish.base_model import base_folder


@dataclass(frozen=True, slots=True)
class Member:
    """One scorer of the blend: its score is standardised, then weighted."""

    weight: float
    mean: float
    std: float


def text_columns(
    slates: Slates, item_vectors: FloatArray, query_vectors: Mapping[str, FloatArray]
) -> FloatArray:
    """Text features of all candidates, float32 (R, len(TEXT_FEATURES)).

    item_vectors: float32 (n_items, d) by row; query_vectors: by text, each (d,).
    """
    out = np.empty((len(slates.item_rows), len(TEXT_FEATURES)), np.float32)
    for index, query in enumerate(slates.queries):
        part = slice(slates.offsets[index], slates.offsets[index + 1])
        user, session = slates.user_history[index], slates.session_history[index]
        bought = slates.bought[index][slates.bought[index] >= 0]
        out[part] = text_features(
            item_vectors[slates.item_rows[part]],
            query_vectors[query] if query else None,
            item_vectors[user[user >= 0]],
            item_vectors[session[session >= 0]],
            item_vectors[bought],
            slates.purchases[index][: len(bought)],
        )
    return out


def columns(
    slates: Slates, item_vectors: FloatArray, query_vectors: Mapping[str, FloatArray]
) -> FloatArray:
    """The input of both scorers, float32 (R, F + T)."""
    return np.concatenate(
        [slates.features, text_columns(slates, item_vectors, query_vectors)], axis=1
    )


def blend(parts: Mapping[str, FloatArray], members: Mapping[str, Member]) -> FloatArray:
    """The final score (R,) of the members' raw scores."""
    total = np.zeros(len(next(iter(parts.values()))), np.float32)
    for name, member in members.items():
        total += np.float32(member.weight) * (parts[name] - member.mean) / member.std
    return total


def write_bundle(
    folder: Path,
    tower: TextTower,
    head: Head,
    forest: lightgbm.Booster | None,
    members: Mapping[str, Member],
    about: Mapping[str, Any],
) -> None:
    """Write all but held_out.npz; `about` is added to training.json."""
    training = {
        "feature_names": FEATURE_NAMES,
        "text_feature_names": TEXT_FEATURES,
        "blend": {name: asdict(member) for name, member in members.items()},
        **about,
    }
    write_tower(folder, tower, training)
    (folder / "head.onnx").write_bytes(head_onnx(head))
    if forest is not None:
        (folder / "forest.onnx").write_bytes(forest_onnx(forest))


def write_tower(folder: Path, tower: TextTower, training: Mapping[str, Any]) -> None:
    """Write what every bundle has: the tower's delta, and training.json, which says what it fits.

    `training` is the rest of training.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tower.delta(), folder / "encoder_delta.safetensors")
    (folder / "encoder_delta.safetensors").chmod(0o644)
    base = (base_folder() / "model.safetensors").read_bytes()
    fits = {"max_tokens": tower.max_tokens, "base_sha256": hashlib.sha256(base).hexdigest()}
    (folder / "training.json").write_text(json.dumps({**fits, **training}, indent=1) + "\n")


class Bundle:
    """A bundle opened for scoring, with the very files that will be published."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.training: dict[str, Any] = json.loads((folder / "training.json").read_text())
        if tuple(self.training["feature_names"]) != FEATURE_NAMES:
            raise ValueError(f"{folder}: trained on other features than matrix.py makes")
        self.members = {name: Member(**values) for name, values in self.training["blend"].items()}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        self._sessions = {
            name: onnxruntime.InferenceSession(folder / f"{name}.onnx", options)
            for name in self.members
        }

    def tower(self) -> TextTower:
        """The fine-tuned tower in float32."""
        tower = TextTower(base_folder(), max_tokens=int(self.training["max_tokens"]))
        tower.load_delta(load_file(self.folder / "encoder_delta.safetensors"))
        return tower

    def parts(self, features: FloatArray) -> dict[str, FloatArray]:
        """Raw scores (R,) of each member for features (R, F + T)."""
        return {
            name: session.run(None, {"features": features})[0][:, 0]
            for name, session in self._sessions.items()
        }

    def scores(self, features: FloatArray) -> FloatArray:
        """Final scores (R,)."""
        return blend(self.parts(features), self.members)
