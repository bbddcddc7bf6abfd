"""A real Redis for the module."""

from collections.abc import Iterator

import pytest

from tests.support.servers.redis_server import redis_server, skip_without_redis


@pytest.fixture(scope="module")
def redis_port(request: pytest.FixtureRequest) -> Iterator[int]:
    with redis_server(skip_without_redis(request)) as port:
        yield port
