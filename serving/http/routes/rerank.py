"""`/rerank` in the dialects that existing clients speak: texts in, relevance out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import Depends, FastAPI, Request, Response
from pydantic import TypeAdapter, ValidationError

from features.arrays import FloatArray
from serving.http.access.auth import Keyring, Scope
from serving.http.bodies import invalid, json_response
from serving.http.dependencies import Scoped
from serving.http.openapi import answers, ref, takes
from serving.http.schemas.rerank import (
    MAX_TEXT,
    CohereAnswer,
    DocumentsRerank,
    TextScore,
    TextsRerank,
    VoyageAnswer,
)
from serving.ranking.rerank import Rerank

_Body = TextsRerank | DocumentsRerank
_EITHER: TypeAdapter[_Body] = TypeAdapter(_Body)
_TOLD = 50  # places of texts that were cut, in a header


def add_rerank(app: FastAPI, scorer: Rerank, keys: Keyring) -> None:
    """Register the endpoints; a key needs the scope `rank`."""

    async def rerank(request: Request) -> Response:
        """Score free texts, for clients of text-embeddings-inference, Cohere, Jina and Voyage."""
        raw = await request.body()
        try:
            body = _EITHER.validate_json(raw)
        except ValidationError as error:
            dialect = TextsRerank if b'"texts"' in raw else DocumentsRerank
            raise invalid(error, dialect.__name__) from None
        texts = body.texts if isinstance(body, TextsRerank) else _texts(body)
        query, read = _cut(body, body.query), [_cut(body, text) for text in texts]
        relevance, route = await scorer.relevance(query, read)
        cut = [place for place, text in enumerate(texts) if len(text) > MAX_TEXT]
        headers = {"x-vitrine-route": route.value}
        if told := _told(cut, len(body.query) > MAX_TEXT):
            headers["x-vitrine-truncated"] = told
        return json_response(_answer(body, relevance, told, request), headers=headers)

    rank = Depends(Scoped(keys, Scope.RANK))
    of_texts = {"type": "array", "items": ref(TextScore)}
    extra = {
        **takes(TextsRerank, None, 200, DocumentsRerank),
        **answers({"anyOf": [of_texts, ref(CohereAnswer), ref(VoyageAnswer)]}),
    }
    for name, path in (
        ("rerank", "/rerank"), ("rerank_v1", "/v1/rerank"), ("rerank_v2", "/v2/rerank"),
    ):  # fmt: skip
        app.post(path, name=name, dependencies=[rank], openapi_extra=extra)(rerank)


def _answer(body: _Body, relevance: FloatArray, told: str, request: Request) -> Any:
    best = _best_first(relevance)
    if isinstance(body, TextsRerank):
        return _as_tei(body, relevance, best[: body.top_n])
    results = [
        {"index": index, "relevance_score": float(relevance[index])}
        | ({"document": _document(body, index)} if body.return_documents else {})
        for index in best[: body.top_k or body.top_n]
    ]
    model = body.model or ""
    if body.of_voyage:
        return {"object": "list", "model": model, "data": results, "usage": {"total_tokens": 0}}
    answer = {"id": request.state.request_id, "model": model, "results": results}
    if told:
        warning = f"cut at {MAX_TEXT} characters, by their places: {told}"
        answer["meta"] = {"warnings": [warning]}
    return answer


def _as_tei(body: TextsRerank, relevance: FloatArray, best: list[int]) -> list[dict[str, Any]]:
    """As text-embeddings-inference answers: best first, with the place in the request."""
    shown = _logits(relevance) if body.raw_scores else relevance
    entries = []
    for index in best:
        entry: dict[str, Any] = {"index": index, "score": float(shown[index])}
        if body.return_text or body.return_documents:
            entry["text"] = body.texts[index]
        entries.append(entry)
    return entries


def _document(body: DocumentsRerank, index: int) -> Any:
    """A document as it came; Cohere's clients look for an object."""
    document = body.documents[index]
    return {"text": document} if isinstance(document, str) and not body.of_voyage else document


def _logits(relevance: FloatArray) -> FloatArray:
    """What the logistic function makes the relevance of; finite also for certainty."""
    sure = np.clip(relevance, 1e-6, 1 - 1e-6)
    logits: FloatArray = np.log(sure / (1 - sure))
    return logits


def _texts(body: DocumentsRerank) -> list[str]:
    """What is read of each document: a text, or of an object the fields that count, in lines."""
    texts = []
    for document in body.documents:
        if isinstance(document, str):
            texts.append(document)
            continue
        names = body.rank_fields or (["text"] if "text" in document else list(document))
        values = (document.get(name) for name in names)
        texts.append("\n".join(str(value) for value in values if value not in (None, "")))
    return texts


def _cut(body: _Body, text: str) -> str:
    """As much as is read: a text that is too long fails no batch."""
    return text[-MAX_TEXT:] if body.truncation_direction == "left" else text[:MAX_TEXT]


def _told(cut: Sequence[int], query: bool) -> str:
    """Which texts were cut, by their places, and whether the query was; "": none."""
    places = [*(["query"] if query else []), *map(str, cut[:_TOLD])]
    return ", ".join(places + (["..."] if len(cut) > _TOLD else []))


def _best_first(relevance: FloatArray) -> list[int]:
    order: list[int] = np.argsort(-relevance, kind="stable").tolist()
    return order
