"""A real Redis for one test session, on a free port, without files."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from serving.local.machine import free_port
from tests.support.certificates import Certificates


def skip_without_redis(request: pytest.FixtureRequest) -> str:
    """The redis-server binary; without it the test is skipped, or fails under --require-redis."""
    binary = shutil.which("redis-server")
    if binary is None:
        reason = "redis-server is not on PATH (apt-get install redis-server)"
        if request.config.getoption("--require-redis", default=False):
            pytest.fail(reason)
        pytest.skip(reason)
    return binary


@contextmanager
def redis_server(
    binary: str, tls: Certificates | None = None, max_memory: str = "0"
) -> Iterator[int]:
    """The port of a server that runs inside the block; with `tls` it is mutual, and there only."""
    port = free_port()
    command = [binary, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    command += ["--maxmemory", max_memory]
    client: dict[str, Any] = {"port": port}
    if tls is None:
        command += ["--port", str(port)]
    else:
        command += ["--port", "0", "--tls-port", str(port), "--tls-ca-cert-file", str(tls.ca)]
        command += ["--tls-cert-file", str(tls.server.cert), "--tls-key-file", str(tls.server.key)]
        client |= {"ssl": True, "ssl_ca_certs": str(tls.ca)}
        client |= {"ssl_certfile": str(tls.client.cert), "ssl_keyfile": str(tls.client.key)}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait(client)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def used_memory(client: Redis) -> int:
    """Bytes that the server has taken, by its own account."""
    told: Any = client.info("memory")
    return int(told["used_memory"])


def _wait(options: dict[str, Any]) -> None:
    deadline = time.monotonic() + 10
    with Redis(**options) as client:
        while True:
            try:
                client.ping()
                return
            except RedisConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
