"""Voyage's own client."""

import voyageai
from voyageai.error import AuthenticationError

from tests.clients.rerank.cases import Asked, Call, Found, main


def rerank(asked: Asked) -> list[Found]:
    client = voyageai.Client(api_key=asked.key, base_url=f"{asked.url}/v1")
    answer = client.rerank(
        asked.query, list(asked.texts), model="any", top_k=asked.top_n, truncation=True
    )
    return [Found(result.index, result.relevance_score) for result in answer.results]


if __name__ == "__main__":
    main(Call("voyageai", "Client.rerank", rerank, AuthenticationError))
