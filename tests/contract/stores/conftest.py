"""A real Redis and a real NATS for each module, which stores of every kind share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.support.servers.nats_server import NatsServer, nats_server
from tests.support.servers.redis_server import redis_server, skip_without_redis


@pytest.fixture(scope="module")
def redis_port(request: pytest.FixtureRequest) -> Iterator[int]:
    with redis_server(skip_without_redis(request)) as port:
        yield port


@pytest.fixture
def redis(redis_port: int) -> Iterator[Redis]:
    """A client of it; the server is empty at first."""
    with Redis(port=redis_port) as client:
        client.flushall()
        yield client


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[NatsServer]:
    """A server that a test may kill."""
    with nats_server(tmp_path / "nats") as server:
        yield server


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server
