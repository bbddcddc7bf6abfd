"""LlamaIndex's postprocessors of nodes."""

from collections.abc import Callable
from typing import Any

from cohere.errors import UnauthorizedError
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.postprocessor.cohere_rerank import CohereRerank
from llama_index.postprocessor.jinaai_rerank import JinaRerank
from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

from tests.clients.rerank.cases import Asked, Call, Found, main


def cohere(asked: Asked) -> Any:
    return CohereRerank(
        top_n=_top(asked), model="any", api_key=asked.key, base_url=asked.url, max_retries=1
    )


def jina(asked: Asked) -> Any:
    return JinaRerank(top_n=_top(asked), model="any", api_key=asked.key, base_url=f"{asked.url}/v1")


def tei(asked: Asked) -> Any:
    return TextEmbeddingInference(
        top_n=_top(asked), base_url=asked.url, auth_token=f"Bearer {asked.key}"
    )


def postprocess(of: Callable[[Asked], Any]) -> Callable[[Asked], list[Found]]:
    def ask(asked: Asked) -> list[Found]:
        nodes = [
            NodeWithScore(node=TextNode(text=text, id_=str(place)), score=0.5)
            for place, text in enumerate(asked.texts)
        ]
        ordered = of(asked).postprocess_nodes(nodes, query_str=asked.query)
        return [Found(int(found.node.node_id), found.score) for found in ordered]

    return ask


def _top(asked: Asked) -> int:
    return asked.top_n or len(asked.texts)


if __name__ == "__main__":
    package = "llama-index-postprocessor"
    main(
        Call(
            f"{package}-cohere-rerank",
            "CohereRerank.postprocess_nodes",
            postprocess(cohere),
            UnauthorizedError,
        ),
        Call(
            f"{package}-jinaai-rerank",
            "JinaRerank.postprocess_nodes",
            postprocess(jina),
            RuntimeError,
        ),
        Call(
            f"{package}-tei-rerank",
            "TextEmbeddingInference.postprocess_nodes",
            postprocess(tei),
            AssertionError,  # it counts what it gets, and looks at no status
        ),
    )
