"""A real Redis for stores of several shops."""

from collections.abc import Iterator

import pytest
from redis import Redis

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
