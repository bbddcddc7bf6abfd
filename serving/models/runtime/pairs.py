"""Pairs of context and item, each read as one text, to scores: the plain cross-encoder.

A published version carries a copy of this module; it needs NumPy and ONNX Runtime only.
"""

from pathlib import Path
from typing import Any

import numpy as np

from serving.models.runtime.text_vectors import FloatArray, TextEncoder, TokenArray

PAIRS = "pairs.npy"  # of a bundle: int16 (n, length)
SCORER = "scorer.npy"  # float32 (size,): the score is its product with the pair's unit vector


class PairScorer:
    """A version folder of the cross-encoder, opened. Nothing is remembered: no pair comes twice."""

    def __init__(self, folder: Path, max_tokens: int, **options: Any) -> None:
        """options: threads, providers and batch of TextEncoder."""
        self._encoder = TextEncoder(folder / "text_encoder.onnx", max_tokens=max_tokens, **options)
        self._scorer: FloatArray = np.load(folder / SCORER)

    def scores(self, tokens: TokenArray) -> FloatArray:
        """Scores float32 (n,) of `tokens` (n, length); 0 for a row without tokens."""
        scores: FloatArray = self._encoder.encode(tokens) @ self._scorer
        return scores
