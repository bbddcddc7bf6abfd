"""Vectors of zero-shot MiniLM, kept: a second run over a catalogue does not wait for them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from features.arrays import FloatArray
from loadtests.search_quality.progress import steps

BATCH = 256


@dataclass(frozen=True, slots=True)
class Encoder:
    """Encodes texts, or reads what was encoded before from `cache`."""

    cache: Path
    threads: int
    console: Console

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors of `texts`, float32 (n, 384)."""
        distinct = sorted(set(texts), key=lambda text: (len(text), text))
        name = hashlib.sha256("\n".join(distinct).encode()).hexdigest()[:16]
        path = self.cache / f"minilm-{name}.npy"
        found: FloatArray = np.load(path) if path.is_file() else self._encoded(distinct)
        if not path.is_file():
            self.cache.mkdir(parents=True, exist_ok=True)
            np.save(path, found)
        row_of = {text: row for row, text in enumerate(distinct)}
        return found[[row_of[text] for text in texts]]

    def _encoded(self, texts: list[str]) -> FloatArray:
        import torch  # slow to import, and only needed where nothing was kept

        from serving.training.fit.network import TextTower
        from serving.training.publish.base_model import base_folder

        torch.set_num_threads(self.threads)
        tower = TextTower(base_folder())
        parts = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        return np.concatenate(
            [tower.encode(part) for part in steps(parts, f"MiniLM, {BATCH} texts", self.console)]
        )
