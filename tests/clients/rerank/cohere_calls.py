"""Cohere's own client, in both versions of its API."""

from typing import Any

import cohere
from cohere.errors import UnauthorizedError

from tests.clients.rerank.cases import Asked, Call, Found, main

MODEL = "any"


def v1(asked: Asked) -> list[Found]:
    client = cohere.Client(api_key=asked.key, base_url=asked.url)
    answer = client.rerank(
        model=MODEL,
        query=asked.query,
        documents=list(asked.texts),
        top_n=asked.top_n,
        return_documents=asked.documents,
        rank_fields=asked.fields,
        max_chunks_per_doc=10,
    )
    return [_found(result) for result in answer.results]


def v2(asked: Asked) -> list[Found]:
    client = cohere.ClientV2(api_key=asked.key, base_url=asked.url)
    answer = client.rerank(
        model=MODEL,
        query=asked.query,
        documents=list(asked.texts),
        top_n=asked.top_n,
        max_tokens_per_doc=4096,
    )
    return [_found(result) for result in answer.results]


def _found(result: Any) -> Found:
    document = getattr(result, "document", None)
    return Found(result.index, result.relevance_score, document.text if document else None)


if __name__ == "__main__":
    has = frozenset({"documents", "fields"})
    main(
        Call("cohere", "Client.rerank", v1, UnauthorizedError, has),
        Call("cohere", "ClientV2.rerank", v2, UnauthorizedError),
    )
