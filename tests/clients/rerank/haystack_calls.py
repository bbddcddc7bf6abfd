"""Haystack's rankers."""

from collections.abc import Callable
from typing import Any

from cohere.errors import UnauthorizedError
from haystack import Document
from haystack.utils import Secret
from haystack_integrations.components.rankers.cohere import CohereRanker
from haystack_integrations.components.rankers.huggingface_api import (
    HuggingFaceTEIRanker,
    TruncationDirection,
)
from haystack_integrations.components.rankers.jina import JinaRanker

from tests.clients.rerank.cases import Asked, Call, Found, main


def cohere(asked: Asked) -> Any:
    return CohereRanker(
        api_key=Secret.from_token(asked.key),
        api_base_url=asked.url,
        meta_fields_to_embed=asked.fields,
    )


def jina(asked: Asked) -> Any:
    return JinaRanker(api_key=Secret.from_token(asked.key), base_url=f"{asked.url}/v1/rerank")


def tei(asked: Asked) -> Any:
    return HuggingFaceTEIRanker(url=asked.url, token=Secret.from_token(asked.key), max_retries=1)


def run(of: Callable[[Asked], Any], **options: Any) -> Callable[[Asked], list[Found]]:
    def ask(asked: Asked) -> list[Found]:
        documents = [_document(place, text) for place, text in enumerate(asked.texts)]
        answer = of(asked).run(asked.query, documents, top_k=asked.top_n, **options)
        return [Found(int(found.id), found.score) for found in answer["documents"]]

    return ask


def _document(place: int, text: Any) -> Document:
    """Of several fields, all are given as `meta`, and the ranker takes some."""
    if isinstance(text, str):
        return Document(id=str(place), content=text)
    return Document(id=str(place), content="", meta=text)


if __name__ == "__main__":
    tei_run = run(tei, truncation_direction=TruncationDirection.RIGHT)
    main(
        Call(
            "cohere-haystack",
            "CohereRanker.run",
            run(cohere),
            UnauthorizedError,
            frozenset({"fields"}),
        ),
        Call("jina-haystack", "JinaRanker.run", run(jina), RuntimeError),
        Call("huggingface-api-haystack", "HuggingFaceTEIRanker.run", tei_run, RuntimeError),
    )
