"""litellm, as each of the providers whose `/rerank` it can send to a base of your own."""

from collections.abc import Callable

import litellm
from litellm.exceptions import AuthenticationError

from tests.clients.rerank.cases import Asked, Call, Found, main

litellm.suppress_debug_info = True  # it prints beside our lines

PROVIDERS = ("cohere", "jina_ai", "huggingface", "infinity", "voyage", "hosted_vllm")
LIMITS = {
    "infinity": "it sends what `hosted_vllm/` sends, which looks for another form of document; "
    "say `return_documents=False`, or ask by `jina_ai/`"
}


def of(provider: str) -> Callable[[Asked], list[Found]]:
    def rerank(asked: Asked) -> list[Found]:
        answer = litellm.rerank(
            model=f"{provider}/any",
            query=asked.query,
            documents=list(asked.texts),
            api_key=asked.key,
            api_base=asked.url,
            top_n=asked.top_n,
            rank_fields=asked.fields,
            return_documents=asked.documents,
        )
        return [
            Found(
                result["index"],
                result["relevance_score"],
                result["document"]["text"] if result.get("document") else None,
            )
            for result in answer.results or []
        ]

    return rerank


def call(provider: str) -> Call:
    has = {"documents"} | ({"fields"} if provider == "cohere" else set())
    name = f"rerank, {provider}/"
    limit = LIMITS.get(provider, "")
    return Call("litellm", name, of(provider), AuthenticationError, frozenset(has), limit)


if __name__ == "__main__":
    main(*map(call, PROVIDERS))
