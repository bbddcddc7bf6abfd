"""`/rerank` in the dialects that existing clients speak: texts in, relevance out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response
from pydantic import TypeAdapter, ValidationError

from features.arrays import FloatArray
from serving.http.access.auth import Keyring, Scope
from serving.http.bodies import invalid, json_response
from serving.http.dependencies import Scoped
from serving.http.direct import direct
from serving.http.openapi import answers, ref, takes
from serving.http.schemas.rerank import (
    MAX_TEXT,
    CohereAnswer,
    DocumentsRerank,
    TextScore,
    TextsRerank,
    VoyageAnswer,
)
from serving.ranking.texts.rerank import Rerank

_Body = TextsRerank | DocumentsRerank
_EITHER: TypeAdapter[_Body] = TypeAdapter(_Body)
_TOLD = 50  # places of texts that were cut, in a header


def add_rerank(app: FastAPI, scorer: Rerank, keys: Keyring) -> None:
    """Register the endpoints; a key needs the scope `rank`."""

    async def rerank(request: Request) -> Response:
        """Score free texts, for clients of text-embeddings-inference, Cohere, Jina and others."""
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
        shown = _logits(relevance) if body.raw_scores else relevance
        return json_response(_answer(body, shown, told, request), headers=headers)

    rank = Scoped(keys, Scope.RANK)
    of_texts = {"type": "array", "items": ref(TextScore)}
    extra = {
        **takes(TextsRerank, None, 200, DocumentsRerank),
        **answers({"anyOf": [of_texts, ref(CohereAnswer), ref(VoyageAnswer)]}),
    }
    for name, path in (
        ("rerank", "/rerank"), ("rerank_v1", "/v1/rerank"), ("rerank_v2", "/v2/rerank"),
    ):  # fmt: skip
        direct(app, path, rank, name=name, openapi_extra=extra)(rerank)


def _answer(body: _Body, scores: FloatArray, told: str, request: Request) -> Any:
    best = _best_first(scores)
    if isinstance(body, TextsRerank):
        return _as_tei(body, scores, best[: body.top_n])
    best = best[: body.top_k or body.top_n]
    common = {"model": body.model or "", "usage": {"prompt_tokens": 0, "total_tokens": 0}}
    as_voyage = {"object": "list", "data": _results(body, scores, best, as_sent=True)}
    if body.of_voyage:
        return {**as_voyage, **common}
    results = _results(body, scores, best, as_sent=body.of_infinity)
    answer = {"id": request.state.request_id, "results": results, **common}
    if told:
        warning = f"cut at {MAX_TEXT} characters, by their places: {told}"
        answer["meta"] = {"warnings": [warning]}
    # Voyage has this path only, and when its clients leave open what is theirs, they look for
    # `data`; others do not mind it.
    if request.url.path == "/v1/rerank" and body.of_anyone:
        answer |= as_voyage
    return answer


def _as_tei(body: TextsRerank, scores: FloatArray, best: list[int]) -> list[dict[str, Any]]:
    """As text-embeddings-inference answers: best first, with the place in the request."""
    entries = []
    for index in best:
        entry: dict[str, Any] = {"index": index, "score": float(scores[index])}
        if body.return_text or body.return_documents:
            entry["text"] = body.texts[index]
        entries.append(entry)
    return entries


def _results(
    body: DocumentsRerank, scores: FloatArray, best: list[int], *, as_sent: bool
) -> list[dict[str, Any]]:
    """Documents come back as they were sent; clients of Cohere and vLLM look for an object."""
    results = []
    for index in best:
        result: dict[str, Any] = {"index": index, "relevance_score": float(scores[index])}
        if body.return_documents:
            document = body.documents[index]
            wrapped = isinstance(document, str) and not as_sent
            result["document"] = {"text": document} if wrapped else document
        results.append(result)
    return results


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
    return text[-MAX_TEXT:] if body.keeps_end else text[:MAX_TEXT]


def _told(cut: Sequence[int], query: bool) -> str:
    """Which texts were cut, by their places, and whether the query was; "": none."""
    places = [*(["query"] if query else []), *map(str, cut[:_TOLD])]
    return ", ".join(places + (["..."] if len(cut) > _TOLD else []))


def _best_first(relevance: FloatArray) -> list[int]:
    order: list[int] = np.argsort(-relevance, kind="stable").tolist()
    return order
