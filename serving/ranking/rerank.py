"""Free texts scored against a query: relevance without shopper or catalogue."""

import asyncio
import math
import time
from collections.abc import Sequence
from functools import partial

import numpy as np

from features.arrays import FloatArray
from serving.errors import ModelTimeoutError, OverloadedError, RankingError
from serving.models.contract import VECTOR_SIZE
from serving.models.encoder import Encoder
from serving.models.latency import LatencyEstimate
from serving.search.relevance import RelevanceModel, usual_models
from serving.search.text_relevance import TextRelevance
from serving.types import Route

_CHUNK = 32  # texts encoded at once: a shopper's query waits for that long (40 ms on two cores)
_CHUNK_S = 0.5  # patience with a chunk; one server that hangs must not hold everyone's turn


class Rerank:
    """How likely texts answer a query: by the general encoder and words; without it, by words.

    model: of texts, that goes with the encoder in use; by default the English one
    """

    def __init__(
        self,
        encoder: Encoder,
        budget_s: float,
        max_ongoing: int = 16,
        model: RelevanceModel | None = None,
    ) -> None:
        self._encoder = encoder
        self._model = model or usual_models().texts
        self._texts = TextRelevance()
        self._budget_s = budget_s
        self._chunk_s = min(_CHUNK_S, budget_s / 2)
        self._max_ongoing = max_ongoing
        self._ongoing = 0
        self._chunks = 0  # of all lists that are being encoded
        self._turn = asyncio.Semaphore(1)
        self._latency = LatencyEstimate()  # of a turn: a chunk is its row

    async def relevance(self, query: str, texts: Sequence[str]) -> tuple[FloatArray, Route]:
        """Probabilities float32 (n,), 0 for an empty text, and who scored.

        Raises OverloadedError.
        """
        if self._ongoing >= self._max_ongoing:
            raise OverloadedError("too many texts are being scored", 1)
        self._ongoing += 1
        try:
            route = Route.MODEL
            try:
                cosines = await self._in_turns(query, texts)
            except RankingError:
                route = Route.FALLBACK
                cosines = np.full(len(texts), np.nan, np.float32)
            # A megabyte of text takes a tenth of a second, and the event loop serves others.
            judge = partial(self._texts.probability, self._model, query, texts, cosines)
            return await asyncio.to_thread(judge), route
        finally:
            self._ongoing -= 1

    async def _in_turns(self, query: str, texts: Sequence[str]) -> FloatArray:
        """The cosines, unless one list more would make all of them late: turns go round."""
        chunks = math.ceil((1 + len(texts)) / _CHUNK)
        if self._chunks + chunks > self._latency.rows_within(self._budget_s):
            raise ModelTimeoutError("more texts are waiting than can be encoded in time")
        self._chunks += chunks
        try:
            return await self._cosines(query, texts)
        finally:
            self._chunks -= chunks

    async def _cosines(self, query: str, texts: Sequence[str]) -> FloatArray:
        deadline_s = time.monotonic() + self._budget_s
        everything = [query, *texts]
        # Texts of like length together: those of one call take as long as the longest.
        by_length = sorted(range(len(everything)), key=lambda index: len(everything[index]))
        vectors = np.zeros((len(everything), VECTOR_SIZE), np.float32)
        for start in range(0, len(everything), _CHUNK):
            chosen = by_length[start : start + _CHUNK]
            vectors[chosen] = await self._encode([everything[i] for i in chosen], deadline_s)
        cosines: FloatArray = vectors[1:] @ vectors[0]
        # A text that the encoder cannot read has no vector, and nothing is alike without one.
        cosines[~vectors[1:].any(axis=1)] = np.nan
        if not vectors[0].any():
            cosines[:] = np.nan
        return cosines

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
