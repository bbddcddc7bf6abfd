"""The trained bundle: what training writes, publishing reads and evaluation scores with.

encoder_delta.safetensors  `<module>.lora_A` (r, in), `<module>.lora_B` (out, r), float16:
                           the tuned weight is the base weight plus B @ A
head.onnx, forest.onnx     `features` float32 (R, F + T), NaN = unknown, to one score (R, 1)
training.json              column names, blend, data, options, metrics
held_out.npz               slates for the parity gate of publishing (held_out.py)
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightgbm
import onnxruntime
from safetensors.numpy import load_file, save_file

from features.arrays import FloatArray
from features.behavior.matrix import FEATURE_NAMES
from serving.models.runtime.ranking import Member
from serving.models.runtime.scoring import TEXT_FEATURES
from serving.training.fit.blending import blend
from serving.training.fit.forest import forest_onnx
from serving.training.fit.head import head_onnx
from serving.training.fit.network import Head, TextTower
from serving.training.publish.base_model import base_folder


def write_bundle(
    folder: Path,
    tower: TextTower,
    head: Head,
    forest: lightgbm.Booster | None,
    members: Sequence[Member],
    about: Mapping[str, Any],
) -> None:
    """Write all but held_out.npz; `about` is added to training.json."""
    training = {
        "feature_names": FEATURE_NAMES,
        "text_feature_names": TEXT_FEATURES,
        "blend": {m.name: {"weight": m.weight, "mean": m.mean, "std": m.std} for m in members},
        **about,
    }
    write_tower(folder, tower, training)
    (folder / "head.onnx").write_bytes(head_onnx(head))
    if forest is not None:
        (folder / "forest.onnx").write_bytes(forest_onnx(forest))


def write_tower(folder: Path, tower: TextTower, training: Mapping[str, Any]) -> None:
    """Write the tower's delta, and training.json with the base weights that the delta belongs to.

    `training` is the rest of training.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tower.delta(), folder / "encoder_delta.safetensors")
    (folder / "encoder_delta.safetensors").chmod(0o644)
    base = (base_folder() / "model.safetensors").read_bytes()
    content = {
        "max_tokens": tower.max_tokens,
        "base_sha256": hashlib.sha256(base).hexdigest(),
        **training,
    }
    (folder / "training.json").write_text(json.dumps(content, indent=1) + "\n")


class Bundle:
    """A bundle opened for scoring with the files that will be published."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.training: dict[str, Any] = json.loads((folder / "training.json").read_text())
        if tuple(self.training["feature_names"]) != FEATURE_NAMES:
            raise ValueError(f"{folder}: trained on other features than matrix.py makes")
        self.members = [Member(name, **values) for name, values in self.training["blend"].items()]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        self._sessions = {
            member.name: onnxruntime.InferenceSession(folder / f"{member.name}.onnx", options)
            for member in self.members
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
