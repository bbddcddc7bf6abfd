"""Versions of a model change under the real tritonserver, and nobody who asks notices."""

import asyncio
import itertools
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serving.local.model_server import ModelServer
from serving.models.contract import Limits
from serving.models.triton import TritonRanker, published_limits
from serving.training.publish.models import publish_ranker
from serving.training.publish.repository import PublishError, rollback, switch, version_in_use
from tests.support.model_requests import BUDGET_S, batch
from tests.support.tiny_bundle import MAX_TOKENS

pytestmark = pytest.mark.timeout(300)


async def test_publishing_and_rolling_back_drop_no_request(
    server: ModelServer, ranker: TritonRanker, repository: Path, bundles: list[Path]
) -> None:
    """Two clients ask without pause while the version changes to and fro under them."""
    answers: list[tuple[str, bytes]] = []
    request = batch((6, 20))
    changing = True

    async def ask() -> None:
        while changing:
            answer = await ranker.score(request, BUDGET_S)
            answers.append((answer.version, answer.scores.tobytes()))

    loop = asyncio.get_running_loop()
    urls = [server.http_url]
    with ThreadPoolExecutor(1) as pool:
        clients = [asyncio.create_task(ask()) for _ in range(2)]
        await loop.run_in_executor(
            pool, lambda: publish_ranker(repository, bundles[1], reload_urls=urls)
        )
        for _ in range(3):
            await asyncio.sleep(0.3)
            await loop.run_in_executor(pool, lambda: rollback(repository, "ranker", urls))
            assert version_in_use(repository, "ranker") == 1
            await asyncio.sleep(0.3)
            await loop.run_in_executor(pool, lambda: switch(repository, "ranker", 2, urls))
        await asyncio.sleep(0.3)  # what was asked before the last switch may end with version 1
        changing = False
        await asyncio.gather(*clients)  # raises what any request met
    seen = [version for version, _ in answers]
    changes = sum(a != b for a, b in itertools.pairwise(seen))
    assert set(seen) == {"1", "2"}
    assert changes >= 7
    assert len(set(answers)) == 2, "one version, one answer"


async def test_a_version_that_triton_cannot_load_leaves_the_old_one_answering(
    server: ModelServer, ranker: TritonRanker, repository: Path
) -> None:
    before = (await ranker.score(batch(), BUDGET_S)).version
    broken = repository / "ranker" / "9"
    shutil.copytree(repository / "ranker" / before, broken)
    (broken / "head.onnx").write_bytes(b"not a model")
    try:
        with pytest.raises(PublishError, match=r"head.onnx was changed after publishing"):
            switch(repository, "ranker", 9, [server.http_url])
    finally:
        shutil.rmtree(broken)
    assert version_in_use(repository, "ranker") == int(before)
    assert (await ranker.score(batch(), BUDGET_S)).version == before


OLDER = """\
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        n = len(pb_utils.get_input_tensor_by_name(request, "ITEM_KEYS").as_numpy())
        values = {"SCORES": np.zeros(n, np.float32), "PARTS": np.zeros((n, 4), np.float32),
                  "TIMES": np.zeros(2, np.int64)}
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, value) for name, value in values.items()]
        )
"""


async def test_a_version_of_another_age_is_sent_only_the_tensors_that_it_takes(
    server: ModelServer, ranker: TritonRanker, repository: Path
) -> None:
    before = (await ranker.score(batch(), BUDGET_S)).version
    older = repository / "ranker" / "9"
    older.mkdir()
    (older / "model.py").write_text(OLDER)
    config = (repository / "ranker" / before / "config.pbtxt").read_text()
    lines = [line for line in config.splitlines() if "BOUGHT" not in line and "PURCH" not in line]
    (older / "config.pbtxt").write_text("\n".join(lines) + "\n")
    urls = [server.http_url]
    try:
        switch(repository, "ranker", 9, urls)
        assert (await ranker.score(batch(), BUDGET_S)).version == "9"
        switch(repository, "ranker", int(before), urls)  # which wants more again
        assert (await ranker.score(batch(), BUDGET_S)).version == before
    finally:
        switch(repository, "ranker", int(before), urls)
        shutil.rmtree(older)


def test_the_version_in_use_tells_how_much_it_reads(server: ModelServer) -> None:
    limits = published_limits(server.grpc_address, "ranker", None, BUDGET_S)
    assert limits == Limits(max_tokens=MAX_TOKENS)
