"""Versions beside the one in use under the real tritonserver: each is asked by its own name."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.errors import ModelNotLoadedError, RankingError
from serving.local.model_server import ModelServer
from serving.models.batcher import Ranker, RankerJob
from serving.models.connection import served_versions
from serving.models.contract import candidate_model
from serving.models.settings import RankerSettings
from serving.models.triton import TritonRanker
from serving.models.versions import VersionedRanker
from serving.training.publish.candidates import offer, withdraw
from serving.training.publish.models import publish_ranker
from serving.training.publish.repository import offered, version_in_use
from tests.support.model_requests import BUDGET_S, batch

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def candidate(server: ModelServer, repository: Path, bundles: list[Path]) -> Iterator[int]:
    """A version that is served beside the one in use."""
    urls = [server.http_url]
    number = publish_ranker(repository, bundles[1], reload_urls=urls, candidate=True)
    yield number
    if number in offered(repository, "ranker"):
        withdraw(repository, "ranker", number, urls)


async def test_both_versions_answer_and_what_is_in_use_stays(
    server: ModelServer, ranker: TritonRanker, repository: Path, candidate: int
) -> None:
    before = str(version_in_use(repository, "ranker"))
    other = TritonRanker(server.grpc_address, candidate_model("ranker", str(candidate)))
    request = batch((6, 20))
    answers = await asyncio.gather(
        *(model.score(request, BUDGET_S) for model in (ranker, other, ranker, other))
    )
    await other.close()
    assert [answer.version for answer in answers] == [before, str(candidate)] * 2
    assert (answers[0].scores == answers[2].scores).all()
    assert (answers[0].scores != answers[1].scores).any()


async def test_the_server_tells_which_versions_it_has_beside_the_one_in_use(
    server: ModelServer, repository: Path, candidate: int
) -> None:
    where = server.grpc_address
    assert served_versions(where, "ranker", None, BUDGET_S) == [str(candidate)]
    withdraw(repository, "ranker", candidate, [server.http_url])
    assert served_versions(where, "ranker", None, BUDGET_S) == []
    with pytest.raises(RankingError):
        served_versions("127.0.0.1:1", "ranker", None, 0.5)


async def test_a_version_that_is_withdrawn_is_not_loaded_and_the_one_in_use_answers(
    server: ModelServer, repository: Path, candidate: int
) -> None:
    def ranker(model: str) -> Ranker:
        return Ranker(TritonRanker(server.grpc_address, model), RankerSettings())

    versioned = VersionedRanker(
        ranker("ranker"), lambda version: ranker(candidate_model("ranker", version))
    )
    job = RankerJob(batch((26,)), model_version=str(candidate))
    assert (await versioned.score(job, BUDGET_S)).scores.model_version == str(candidate)
    withdraw(repository, "ranker", candidate, [server.http_url])
    gone = TritonRanker(server.grpc_address, candidate_model("ranker", str(candidate)))
    with pytest.raises(ModelNotLoadedError):
        await gone.score(batch((6, 20)), BUDGET_S)
    await gone.close()
    in_use = str(version_in_use(repository, "ranker"))
    assert (await versioned.score(job, BUDGET_S)).scores.model_version == in_use


def test_a_server_that_starts_anew_serves_what_is_offered(
    server: ModelServer, repository: Path, candidate: int
) -> None:
    offer(repository, "ranker", candidate, [server.http_url])
    server.start()
    ready = f"/v2/models/{candidate_model('ranker', str(candidate))}/ready"
    assert server._answers(ready)
