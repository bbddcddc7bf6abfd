"""LangChain's compressors of documents."""

from collections.abc import Callable, Sequence
from typing import Any

from cohere.errors import UnauthorizedError
from infinity_client import Client
from infinity_client.errors import UnexpectedStatus
from langchain_cohere import CohereRerank
from langchain_community.document_compressors import InfinityRerank, JinaRerank, jina_rerank
from langchain_core.documents import Document
from langchain_voyageai import VoyageAIRerank
from voyageai.error import AuthenticationError

from tests.clients.rerank.cases import Asked, Call, Found, main


def cohere(asked: Asked) -> Any:
    return CohereRerank(
        cohere_api_key=asked.key, base_url=asked.url, model="any", top_n=asked.top_n
    )


def jina(asked: Asked) -> Any:
    jina_rerank.JINA_API_URL = f"{asked.url}/v1/rerank"  # it has no setting for it
    return JinaRerank(jina_api_key=asked.key, model="any", top_n=asked.top_n)


def infinity(asked: Asked) -> Any:
    headers = {"authorization": f"Bearer {asked.key}"}
    client = Client(asked.url, headers=headers, raise_on_unexpected_status=True)
    return InfinityRerank(client=client, model="any", top_n=asked.top_n)


def voyage(asked: Asked) -> Any:
    return VoyageAIRerank(
        api_key=asked.key, base_url=f"{asked.url}/v1", model="any", top_k=asked.top_n
    )


def compress(of: Callable[[Asked], Any]) -> Callable[[Asked], list[Found]]:
    def ask(asked: Asked) -> list[Found]:
        documents = [
            Document(text, metadata={"place": place}) for place, text in enumerate(asked.texts)
        ]
        return _found(of(asked).compress_documents(documents, asked.query))

    return ask


def cohere_dictionaries(asked: Asked) -> list[Found]:
    results = cohere(asked).rerank(
        asked.texts, asked.query, rank_fields=asked.fields, top_n=asked.top_n
    )
    return [Found(result["index"], result["relevance_score"]) for result in results]


def _found(documents: Sequence[Document]) -> list[Found]:
    return [
        Found(document.metadata["place"], document.metadata["relevance_score"])
        for document in documents
    ]


if __name__ == "__main__":
    compressed = "compress_documents"
    main(
        Call("langchain-cohere", f"CohereRerank.{compressed}", compress(cohere), UnauthorizedError),
        Call(
            "langchain-cohere",
            "CohereRerank.rerank",
            cohere_dictionaries,
            UnauthorizedError,
            frozenset({"fields"}),
        ),
        Call("langchain-community", f"JinaRerank.{compressed}", compress(jina), RuntimeError),
        Call(
            "langchain-community",
            f"InfinityRerank.{compressed}",
            compress(infinity),
            UnexpectedStatus,
        ),
        Call(
            "langchain-voyageai",
            f"VoyageAIRerank.{compressed}",
            compress(voyage),
            AuthenticationError,
        ),
    )
