"""`/rerank` in the two dialects that existing clients speak: texts in, relevance out."""

from typing import Any

import numpy as np
from fastapi import Depends, FastAPI, Request, Response
from pydantic import TypeAdapter, ValidationError

from features.arrays import FloatArray
from serving.http.auth import Keyring, Scope
from serving.http.bodies import invalid, json_response
from serving.http.dependencies import Scoped
from serving.http.openapi import takes
from serving.http.schemas.rerank import DocumentsRerank, RerankDocument, TextsRerank
from serving.ranking.rerank import Rerank

_EITHER: TypeAdapter[TextsRerank | DocumentsRerank] = TypeAdapter(TextsRerank | DocumentsRerank)


def add_rerank(app: FastAPI, scorer: Rerank, keys: Keyring) -> None:
    """Register the endpoints; a key needs the scope `rank`."""

    async def rerank(request: Request) -> Response:
        """Score free texts: the dialects of text-embeddings-inference and of Cohere and Jina."""
        raw = await request.body()
        try:
            body = _EITHER.validate_json(raw)
        except ValidationError as error:
            dialect = TextsRerank if b'"texts"' in raw else DocumentsRerank
            raise invalid(error, dialect.__name__) from None
        texts = body.texts if isinstance(body, TextsRerank) else _texts(body)
        relevance, route = await scorer.relevance(body.query, texts)
        answer: Any
        if isinstance(body, TextsRerank):
            answer = _as_tei(body, relevance)
        else:
            results = _as_cohere(body, texts, relevance)
            answer = {"id": request.state.request_id, "model": body.model, "results": results}
        return json_response(answer, headers={"x-vitrine-route": route.value})

    rank = Depends(Scoped(keys, Scope.RANK))
    extra = takes(TextsRerank, None, 200, DocumentsRerank)
    for path in ("/rerank", "/v1/rerank", "/v2/rerank"):
        app.post(path, dependencies=[rank], openapi_extra=extra)(rerank)


def _as_tei(body: TextsRerank, relevance: FloatArray) -> list[dict[str, Any]]:
    """As text-embeddings-inference answers: best first, with the place in the request."""
    shown = _logits(relevance) if body.raw_scores else relevance
    entries = []
    for index in _best_first(relevance):
        entry: dict[str, Any] = {"index": index, "score": float(shown[index])}
        if body.return_text:
            entry["text"] = body.texts[index]
        entries.append(entry)
    return entries


def _as_cohere(
    body: DocumentsRerank, texts: list[str], relevance: FloatArray
) -> list[dict[str, Any]]:
    """As Cohere and Jina answer."""
    entries = []
    for index in _best_first(relevance)[: body.top_n]:
        entry: dict[str, Any] = {
            "index": index,
            "relevance_score": float(relevance[index]),
        }
        if body.return_documents:
            entry["document"] = {"text": texts[index]}
        entries.append(entry)
    return entries


def _logits(relevance: FloatArray) -> FloatArray:
    """What the logistic function makes the relevance of; finite also for certainty."""
    sure = np.clip(relevance, 1e-6, 1 - 1e-6)
    logits: FloatArray = np.log(sure / (1 - sure))
    return logits


def _texts(body: DocumentsRerank) -> list[str]:
    return [
        document.text if isinstance(document, RerankDocument) else document
        for document in body.documents
    ]


def _best_first(relevance: FloatArray) -> list[int]:
    order: list[int] = np.argsort(-relevance, kind="stable").tolist()
    return order
