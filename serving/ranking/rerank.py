"""Free texts scored against a query: relevance without shopper or catalogue."""

import asyncio
import time
from collections.abc import Sequence

import numpy as np

from features.arrays import FloatArray
from features.catalog.words import words
from serving.errors import ModelTimeoutError, OverloadedError, RankingError
from serving.models.encoder import Encoder
from serving.types import Route

_CHUNK = 32  # texts encoded at once: a shopper's query waits for that long (40 ms on two cores)


class Rerank:
    """Cosines of texts with a query by the general encoder; without it, by shared words."""

    def __init__(self, encoder: Encoder, budget_s: float, max_ongoing: int = 16) -> None:
        self._encoder = encoder
        self._budget_s = budget_s
        self._max_ongoing = max_ongoing
        self._ongoing = 0
        self._turn = asyncio.Semaphore(1)

    async def relevance(self, query: str, texts: Sequence[str]) -> tuple[FloatArray, Route]:
        """float32 (n,) in -1..1, 0 for an empty text, and who scored; raises OverloadedError."""
        if self._ongoing >= self._max_ongoing:
            raise OverloadedError("too many texts are being scored", 1)
        self._ongoing += 1
        try:
            return await self._cosines(query, texts), Route.MODEL
        except RankingError:
            wanted = words(query)
            shared = [len(wanted & words(text)) / max(len(wanted), 1) for text in texts]
            return np.array(shared, np.float32), Route.FALLBACK
        finally:
            self._ongoing -= 1

    async def _cosines(self, query: str, texts: Sequence[str]) -> FloatArray:
        deadline_s = time.monotonic() + self._budget_s
        query_vector = (await self._encode([query], deadline_s))[0]
        # Texts of like length together: those of one call take as long as the longest.
        by_length = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        cosines = np.zeros(len(texts), np.float32)
        for start in range(0, len(texts), _CHUNK):
            chosen = by_length[start : start + _CHUNK]
            vectors = await self._encode([texts[index] for index in chosen], deadline_s)
            cosines[chosen] = vectors @ query_vector
        return cosines

    async def _encode(self, texts: Sequence[str], deadline_s: float) -> FloatArray:
        """One call at a time: a shopper's query waits for one chunk, however many ask."""
        try:
            await asyncio.wait_for(self._turn.acquire(), deadline_s - time.monotonic())
        except TimeoutError:
            raise ModelTimeoutError("others' texts were being encoded") from None
        try:
            return await self._encoder.encode(texts, deadline_s - time.monotonic())
        finally:
            self._turn.release()
