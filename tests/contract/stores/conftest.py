"""A real NATS for each module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers.nats_server import NatsServer, nats_server


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[NatsServer]:
    """A server that a test may kill."""
    with nats_server(tmp_path / "nats") as server:
        yield server


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server
