"""One real tritonserver for the tests of a module, and the clients that serving uses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.local.model_server import ModelServer
from serving.local.traces.viewer import TraceViewer
from serving.models.triton import TritonEncoder, TritonRanker
from tests.support.model_servers import model_server


@pytest.fixture(scope="module")
def server(
    repository: Path, collector: TraceViewer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ModelServer]:
    running = model_server(
        repository, tmp_path_factory.mktemp("triton"), trace_url=collector.otlp_url
    )
    running.start()
    yield running
    running.stop()
    assert not running.alive


@pytest.fixture
async def ranker(server: ModelServer) -> Any:
    client = TritonRanker(server.grpc_address)
    yield client
    await client.close()


@pytest.fixture
async def encoder(server: ModelServer) -> Any:
    client = TritonEncoder(server.grpc_address)
    yield client
    await client.close()
