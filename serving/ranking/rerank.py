"""`/rerank` in the two dialects that existing clients speak: texts in, relevance out."""

import asyncio
from typing import Any

import numpy as np

from features.behavior.matrix import FEATURE_NAMES
from features.catalog.item import content_key
from features.catalog.words import words
from serving.errors import OverloadedError, RankingError
from serving.http.schemas.rerank import DocumentsRerank, RerankDocument, TextsRerank
from serving.models.batcher import PART_NAMES, RankerJob
from serving.ranking.pipeline import Scorer
from serving.ranking.values import FloatArray, Route, Texts
from serving.shops.items import TextEncoder

_MAX_TOKENS = 256  # longer texts are cut, as the model was made for no more
_TEXT_PART = PART_NAMES.index("text")


class Rerank:
    """Scores free texts against a query with the ranker's BERT; without it, by shared words."""

    def __init__(
        self, ranker: Scorer, encoder: TextEncoder, budget_s: float, max_ongoing: int = 16
    ) -> None:
        self._ranker = ranker
        self._encoder = encoder
        self._budget_s = budget_s
        self._max_ongoing = max_ongoing
        self._ongoing = 0

    async def texts(self, asked: TextsRerank) -> tuple[list[dict[str, Any]], Route]:
        """As text-embeddings-inference answers: best first, with the place in the request."""
        relevance, route = await self._relevance(asked.query, asked.texts)
        shown = relevance if asked.raw_scores else (1 + relevance) / 2
        out = []
        for index in np.argsort(-relevance, kind="stable").tolist():
            entry: dict[str, Any] = {"index": index, "score": float(shown[index])}
            if asked.return_text:
                entry["text"] = asked.texts[index]
            out.append(entry)
        return out, route

    async def documents(
        self, asked: DocumentsRerank, request_id: str
    ) -> tuple[dict[str, Any], Route]:
        """As Cohere and Jina answer."""
        texts = [
            document.text if isinstance(document, RerankDocument) else document
            for document in asked.documents
        ]
        relevance, route = await self._relevance(asked.query, texts)
        results = []
        for index in np.argsort(-relevance, kind="stable").tolist()[: asked.top_n]:
            entry: dict[str, Any] = {
                "index": index,
                "relevance_score": float((1 + relevance[index]) / 2),
            }
            if asked.return_documents:
                entry["document"] = {"text": texts[index]}
            results.append(entry)
        return {"id": request_id, "model": asked.model, "results": results}, route

    async def _relevance(self, query: str, texts: list[str]) -> tuple[FloatArray, Route]:
        """Cosine of query and each text, (n,), in -1..1."""
        if self._ongoing >= self._max_ongoing:
            raise OverloadedError("too many texts are being scored", 1)
        self._ongoing += 1
        try:
            return await self._scored(query, texts)
        finally:
            self._ongoing -= 1

    async def _scored(self, query: str, texts: list[str]) -> tuple[FloatArray, Route]:
        # A megabyte of text takes a tenth of a second: others go on meanwhile.
        tokens = await asyncio.to_thread(self._encoder.tokens, texts, _MAX_TOKENS)
        job = RankerJob(
            Texts(
                query_tokens=self._encoder.tokens([query], _MAX_TOKENS),
                n_user_history=0,
                n_session_history=0,
                purchases=np.zeros((0, 3), np.float32),
                history_keys=np.zeros(0, np.int64),
                history_tokens=np.zeros((0, 1), np.int16),
                item_keys=np.array([content_key(text) if text else 0 for text in texts], np.int64),
                item_tokens=tokens,
            ),
            np.full((len(texts), len(FEATURE_NAMES)), np.nan, np.float32),
        )
        try:
            reply = await self._ranker.score(job, self._budget_s)
            return np.nan_to_num(reply.scores.parts[:, _TEXT_PART]), Route.MODEL
        except RankingError:
            wanted = words(query)
            shared = [len(wanted & words(text)) / max(len(wanted), 1) for text in texts]
            return np.array(shared, np.float32), Route.FALLBACK
