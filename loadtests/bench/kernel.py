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

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from features.catalog import content_key
from loadtests.bench.texts import MAX_PAIR_TOKENS, Asked, Texts
from serving.model.assemble import tokenize
from serving.model_repository.ranking import VersionRanker
from serving.model_repository.text_vectors import TextEncoder

Array = npt.NDArray[Any]
N_QUERY = 32  # tokens
N_USER, N_SESSION, N_BOUGHT = 20, 8, 64  # items that a version is asked with at most


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds of one request by the wall, and of processor time."""

    wall_ms: float
    cpu_ms: float


class Batches:
    """Requests as the ranker's tensors, with as much history as a version is asked with."""

    def __init__(self, tokenizer: Path, features: Array, texts: Texts) -> None:
        self._queries = Tokenizer.from_file(str(tokenizer))
        self._queries.no_padding()
        self._queries.enable_truncation(N_QUERY)
        self._features = features  # (R, n_features): rows of real slates, drawn from
        self._tokens = tokenize(tokenizer, texts.texts, 48)
        self._keys = np.array([content_key(text) for text in texts.texts], np.int64)

    def of(self, asked: Asked) -> dict[str, Array]:
        """One request, by the names of ranker/config.pbtxt."""
        rows = np.array(asked.candidates)
        rng = np.random.default_rng(len(rows))
        query = np.zeros((1, N_QUERY), np.int16)
        ids = self._queries.encode(asked.query).ids
        query[0, : len(ids)] = ids
        history = np.resize(np.array(asked.recent), N_USER + N_SESSION + N_BOUGHT)
        return {
            "QUERY_TOKENS": query,
            "USER_HISTORY_COUNTS": np.array([N_USER], np.int32),
            "SESSION_HISTORY_COUNTS": np.array([N_SESSION], np.int32),
            "BOUGHT_COUNTS": np.array([N_BOUGHT], np.int32),
            "PURCHASES": rng.uniform(1, 90, (N_BOUGHT, 3)).astype(np.float32),
            "HISTORY_KEYS": self._keys[history],
            "HISTORY_TOKENS": self._tokens[history],
            "ROW_COUNTS": np.array([len(rows)], np.int32),
            "ITEM_KEYS": self._keys[rows],
            "ITEM_TOKENS": self._tokens[rows],
            "FEATURES": self._features[rng.integers(len(self._features), size=len(rows))],
        }


class Kernels:
    """Both rankers over the same texts; `version` is a published version's folder."""

    def __init__(
        self, version: Path, tokenizer: Path, features: Array, texts: Texts, threads: int
    ) -> None:
        self._texts = texts
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._batches = Batches(tokenizer, features, texts)
        self._ours = VersionRanker(version, threads)
        self._plain = TextEncoder(version / "text_encoder.onnx", threads, MAX_PAIR_TOKENS)

    def compare(self, n: int, rounds: int) -> dict[str, list[Speed]]:
        """Speeds at `n` candidates, one a round; within a round both get the same request."""
        found: dict[str, list[Speed]] = {"ours": [], "cross-encoder, int8": []}
        for number in range(-1, rounds):
            asked = self._texts.ask(n)
            batch, pairs = self._batches.of(asked), self._texts.pairs(asked, self._tokenizer)
            for name, call in (
                ("ours", lambda batch=batch: self._ours.score(batch)),
                ("cross-encoder, int8", lambda pairs=pairs: self._plain.encode(pairs)),
            ):
                speed = _timed(call)
                if number >= 0:  # the first round warms up
                    found[name].append(speed)
        return found


def _timed(call: Callable[[], object]) -> Speed:
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    call()
    return Speed(1000 * (time.perf_counter() - wall_s), 1000 * (time.process_time() - cpu_s))
