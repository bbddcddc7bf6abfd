"""What lies in the packed folder, read.

constants.npz  the published float32 tower's constants by name; of its word table only the rows
               `word_ids` that a carried text uses (docs/gpu.md says why)
int8.npz       those of the int8 tower that differ
ranker.npz     `head.*` and `forest.*`
slates.npz     held-out slates: contract.INPUTS by name, and LABELS float32 (R,)
texts.npz      `keys` int64 (n,) and `tokens` int16 (n, width) of the slates' distinct texts;
               `queries` int16 (m, width), each of another item
reference.npz  what the CPU answers: `float32.vectors` float32 (n, size), and float32 (R,)
               `float32.scores` and `int8.scores`, the published version's
about.json     the bundle, its blend, the gate's limits, what a ranking costs on CPUs
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
_COUNTS = ("ROW_COUNTS", "USER_HISTORY_COUNTS", "SESSION_HISTORY_COUNTS", "BOUGHT_COUNTS")


@dataclass(frozen=True, slots=True)
class Carried:
    """The folder's content; `tower` has the word table at its full height, zero where unused."""

    folder: Path
    about: dict[str, Any]
    tower: Arrays
    int8: Arrays
    ranker: Arrays
    slates: Arrays
    texts: Arrays
    reference: Arrays

    def first(self, n: int) -> "Carried":
        """With the first `n` slates and their texts alone."""
        counts = {name: self.slates[name][:n] for name in _COUNTS}
        rows = int(counts["ROW_COUNTS"].sum())
        bought = int(counts["BOUGHT_COUNTS"].sum())
        history = bought + int(sum(counts[name].sum() for name in _COUNTS[1:3]))
        kept = {"QUERY": n, "HISTORY": history, "PURCHASES": bought}
        slates = {
            name: counts.get(name, values[: kept.get(name.split("_")[0], rows)])
            for name, values in self.slates.items()
        }
        keys = np.union1d(slates["ITEM_KEYS"], slates["HISTORY_KEYS"])
        chosen = np.isin(self.texts["keys"], keys)
        texts = {name: values[chosen] for name, values in self.texts.items()}
        reference = {
            name: values[chosen] if name.endswith("vectors") else values[:rows]
            for name, values in self.reference.items()
        }
        return replace(self, slates=slates, texts=texts, reference=reference)


def read(folder: Path) -> Carried:
    """Open a packed folder; raises FileNotFoundError that names the missing file."""
    about: dict[str, Any] = json.loads((folder / "about.json").read_text())
    tower = _arrays(folder / "constants.npz")
    ids, rows = tower.pop("word_ids"), tower["words"]
    words = np.zeros((about["n_words"], rows.shape[1]), rows.dtype)
    words[ids] = rows
    tower["words"] = words
    parts = {
        name: _arrays(folder / f"{name}.npz")
        for name in ("int8", "ranker", "slates", "texts", "reference")
    }
    return Carried(folder, about, tower, **parts)


def _arrays(path: Path) -> Arrays:
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}
