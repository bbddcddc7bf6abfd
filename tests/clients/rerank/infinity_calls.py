"""Infinity's own client."""

from infinity_client import AuthenticatedClient
from infinity_client.api.default import rerank
from infinity_client.errors import UnexpectedStatus
from infinity_client.models import RerankInput, ReRankResult

from tests.clients.rerank.cases import Asked, Call, Found, main


def ask(asked: Asked) -> list[Found]:
    client = AuthenticatedClient(asked.url, asked.key, raise_on_unexpected_status=True)
    body = RerankInput(
        query=asked.query,
        documents=list(asked.texts),
        return_documents=bool(asked.documents),
        top_n=asked.top_n,
    )
    answer = rerank.sync(client=client, body=body)
    assert isinstance(answer, ReRankResult), answer
    return [
        Found(each.index, each.relevance_score, each.document if asked.documents else None)
        for each in answer.results
    ]


if __name__ == "__main__":
    call = Call("infinity-client", "rerank.sync", ask, UnexpectedStatus, frozenset({"documents"}))
    main(call)
