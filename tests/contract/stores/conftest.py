"""A real Redis for each module, which stores of every kind share."""

from collections.abc import Iterator

import pytest

from tests.support.redis_server import redis_server, skip_without_redis


@pytest.fixture(scope="module")
def redis_port(request: pytest.FixtureRequest) -> Iterator[int]:
    with redis_server(skip_without_redis(request)) as port:
        yield port
