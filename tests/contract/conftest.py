"""What a module has for itself: a model repository to publish into, a real Redis, a store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from features.store.settings import RedisSettings, StoreSettings
from serving.training.publish.encoders import publish_encoder
from serving.training.publish.models import publish_ranker
from tests.support.servers.redis_server import redis_server, skip_without_redis
from tests.support.tiny_bundle import write_bundle


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


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSettings:
    """Of a store that is empty, in files and then in Redis."""
    if request.param == "sqlite":
        return StoreSettings(state=tmp_path)
    port = request.getfixturevalue("redis_port")
    with Redis(port=port) as client:
        client.flushall()
    return StoreSettings(state=tmp_path, kind="redis", redis=RedisSettings(port=port))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two bundles that score differently."""
    folder = tmp_path_factory.mktemp("bundles")
    return [write_bundle(folder / str(seed), seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def repository(bundles: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    publish_encoder(folder)
    publish_ranker(folder, bundles[0])
    return folder
