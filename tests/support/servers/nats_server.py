"""A real NATS for tests, on a free port."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from features.events.nats.settings import NatsSettings
from loadtests.chaos.nats_process import NatsProcess
from serving.local.machine import free_port


class NatsServer(NatsProcess):
    """It may be killed and started again, and gives each log a place of its own."""

    logs = 0

    def anew(self, **settings: Any) -> NatsSettings:
        """Of a client that finds nothing there yet."""
        self.logs += 1
        bounds = {"events_max_bytes": 16 << 20, "rankings_max_bytes": 16 << 20}
        given = {"servers": [self.url], "prefix": f"log{self.logs}"} | bounds | settings
        return NatsSettings.model_validate(given)


@contextmanager
def nats_server(folder: Path, *options: str, port: int | None = None) -> Iterator[NatsServer]:
    """One that runs inside the block."""
    server = NatsServer(port or free_port(), folder, False, *options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
