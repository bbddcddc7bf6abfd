"""Many texts through the general encoder, in turns, so that nobody's many hold up the others."""

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from features.arrays import FloatArray
from serving.errors import ModelTimeoutError, OverloadedError
from serving.models.contract import VECTOR_SIZE
from serving.models.encoder import Encoder
from serving.models.latency import LatencyEstimate

_CHUNK = 32  # texts encoded at once: a shopper's query waits for that long (40 ms on two cores)
_CHUNK_S = 0.5  # patience with a chunk; one server that hangs must not hold everyone's turn


class TextTurns:
    """Lists of texts, a chunk of one of them at a time. All that encodes many texts shares one."""

    def __init__(self, encoder: Encoder, budget_s: float, max_ongoing: int = 16) -> None:
        self._encoder = encoder
        self._budget_s = budget_s
        self._chunk_s = min(_CHUNK_S, budget_s / 2)
        self._max_ongoing = max_ongoing
        self._ongoing = 0
        self._chunks = 0  # of all lists that are being encoded
        self._turn = asyncio.Semaphore(1)
        self._latency = LatencyEstimate()  # of a turn: a chunk is its row

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Around all the work on one list; raises OverloadedError."""
        if self._ongoing >= self._max_ongoing:
            raise OverloadedError("too many texts are being scored", 1)
        self._ongoing += 1
        try:
            yield
        finally:
            self._ongoing -= 1

    async def vectors(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, VECTOR_SIZE), zeros for a text that the encoder cannot read.

        Raises a RankingError: at once, if one list more would make all of them late.
        """
        chunks = math.ceil(len(texts) / _CHUNK)
        if self._chunks + chunks > self._latency.rows_within(self._budget_s):
            raise ModelTimeoutError("more texts are waiting than can be encoded in time")
        self._chunks += chunks
        try:
            return await self._in_chunks(texts)
        finally:
            self._chunks -= chunks

    async def _in_chunks(self, texts: Sequence[str]) -> FloatArray:
        deadline_s = time.monotonic() + self._budget_s
        # Texts of like length together: those of one call take as long as the longest.
        by_length = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        vectors = np.zeros((len(texts), VECTOR_SIZE), np.float32)
        for start in range(0, len(texts), _CHUNK):
            chosen = by_length[start : start + _CHUNK]
            vectors[chosen] = await self._encode([texts[i] for i in chosen], deadline_s)
        return vectors

    async def _encode(self, texts: Sequence[str], deadline_s: float) -> FloatArray:
        """One chunk of this replica at a time: a query waits for one, however many callers ask.

        It is begun only with time for a fair try, by which the breaker judges the model.
        """
        left_s = deadline_s - self._chunk_s - time.monotonic()
        if left_s <= 0:
            raise ModelTimeoutError("no time for another chunk")
        try:
            async with asyncio.timeout(left_s):
                await self._turn.acquire()
        except TimeoutError:
            raise ModelTimeoutError("others' texts were being encoded") from None
        try:
            started_s = time.monotonic()
            vectors = await self._encoder.encode(texts, self._chunk_s)
            self._latency.answered(1, time.monotonic() - started_s)
            return vectors
        finally:
            self._turn.release()
