"""Free texts scored against a query: relevance without shopper or catalogue."""

import asyncio
from collections.abc import Sequence
from functools import partial

import numpy as np

from features.arrays import FloatArray
from serving.errors import RankingError
from serving.models.encoder import Encoder
from serving.ranking.texts.turns import TextTurns
from serving.search.relevance import RelevanceModel, usual_models
from serving.search.text_relevance import TextRelevance
from serving.types import Route


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
        self.turns = TextTurns(encoder, budget_s, max_ongoing)
        self._model = model or usual_models().texts
        self._texts = TextRelevance()

    async def relevance(self, query: str, texts: Sequence[str]) -> tuple[FloatArray, Route]:
        """Probabilities float32 (n,), 0 for an empty text, and who scored.

        Raises OverloadedError.
        """
        with self.turns.admitted():
            route = Route.MODEL
            try:
                cosines = await self._cosines(query, texts)
            except RankingError:
                route = Route.FALLBACK
                cosines = np.full(len(texts), np.nan, np.float32)
            # A megabyte of text takes a tenth of a second, and the event loop serves others.
            judge = partial(self._texts.probability, self._model, query, texts, cosines)
            return await asyncio.to_thread(judge), route

    async def _cosines(self, query: str, texts: Sequence[str]) -> FloatArray:
        vectors = await self.turns.vectors([query, *texts])
        cosines: FloatArray = vectors[1:] @ vectors[0]
        # A text that the encoder cannot read has no vector, and nothing is alike without one.
        cosines[~vectors[1:].any(axis=1)] = np.nan
        if not vectors[0].any():
            cosines[:] = np.nan
        return cosines
