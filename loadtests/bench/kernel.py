"""Scoring alone, in this process: our ranker and a plain cross-encoder, in turns.

The cross-encoder is the strongest plain one that we can run: the same BERT in the same static int8
with the same fused attention, each pair at its own length without padding, on the same threads. It
reads context and item together, so nothing of it can be kept. Our version encodes a new query for
each request and looks the items up, as it does in the model server.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
from tokenizers import Tokenizer

from loadtests.bench.texts import MAX_PAIR_TOKENS, Jobs, Texts
from serving.models.packing import pack
from serving.models.runtime.ranking import VersionRanker
from serving.models.runtime.text_vectors import TextEncoder

CROSS = "cross-encoder, int8"
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds of one request by the wall, and of processor time."""

    wall_ms: float
    cpu_ms: float


class Kernels:
    """Both rankers over the same texts; `version` is a published version's folder."""

    def __init__(
        self, version: Path, tokenizer: Path, features: Array, texts: Texts, threads: int
    ) -> None:
        self._texts = texts
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._jobs = Jobs(tokenizer, features, texts)
        self._ours = VersionRanker(version, threads)
        self._plain = TextEncoder(version / "text_encoder.onnx", threads, MAX_PAIR_TOKENS)

    def compare(self, n: int, rounds: int) -> dict[str, list[Speed]]:
        """Speeds at `n` candidates, one a round; within a round both get the same request."""
        speeds: dict[str, list[Speed]] = {"ours": [], CROSS: []}
        for number in range(-1, rounds):
            request = self._texts.ask(n)
            batch = pack([self._jobs.of(request).tensors])
            pairs = self._texts.pairs(request, self._tokenizer)
            for name, call in (
                ("ours", lambda batch=batch: self._ours.score(batch)),
                (CROSS, lambda pairs=pairs: self._plain.encode(pairs)),
            ):
                speed = _timed(call)
                if number >= 0:  # the first round warms up
                    speeds[name].append(speed)
        return speeds


def _timed(call: Callable[[], object]) -> Speed:
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    call()
    return Speed(1000 * (time.perf_counter() - wall_s), 1000 * (time.process_time() - cpu_s))
