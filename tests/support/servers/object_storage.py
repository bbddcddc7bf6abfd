"""Object storage as Amazon's, by moto's server in the environment of other people's clients."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_connection

import pytest
from pyarrow.fs import FileSystem

from serving.local.machine import free_port
from tests.clients.running import PYTHON


@contextmanager
def object_storage() -> Iterator[str]:
    """The URL of a bucket, as pyarrow takes it, on a server that runs inside the block."""
    if not PYTHON.exists():
        pytest.fail("moto is not installed: make .venv-clients/.ready")
    port = free_port()
    quiet = subprocess.DEVNULL
    command = [str(PYTHON), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
    try:
        _wait(port)
        asked = f"scheme=http&endpoint_override=127.0.0.1%3A{port}&region=us-east-1"
        bucket = f"s3://somebody:secret@shop?{asked}&allow_bucket_creation=true"
        files, path = FileSystem.from_uri(bucket)
        files.create_dir(path)
        yield f"s3://somebody:secret@shop/events?{asked}"
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int) -> None:
    deadline_s = time.monotonic() + 30
    while True:
        try:
            create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)
