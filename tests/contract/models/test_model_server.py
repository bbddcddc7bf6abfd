"""The process of the model server: what it refuses to start over, and how it ends."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from serving.local.machine import free_port
from serving.local.models import ROOT, TRITON_PYTHON
from serving.local.tritonserver import ModelServerError
from tests.support.model_servers import model_server

pytestmark = pytest.mark.timeout(300)


def test_a_server_does_not_start_over_a_tampered_version(repository: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(repository, tmp_path / "repository"))
    with (copy / "encoder" / "1" / "code" / "serving" / "models" / "runtime" / "scoring.py").open(
        "a"
    ) as code:
        code.write("# one more line\n")
    running = model_server(copy, tmp_path / "state")
    with pytest.raises(ModelServerError, match=r"scoring.py was changed after publishing"):
        running.start()
    assert not running.alive


def test_a_server_that_answers_nonsense_is_not_taken(repository: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(repository, tmp_path / "repository"))
    path = copy / "encoder" / "1" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["probe"]["vectors"][1][0] += 0.5
    path.write_text(json.dumps(manifest))
    running = model_server(copy, tmp_path / "state")
    with pytest.raises(ModelServerError, match="wrong vectors: is NumPy 1"):
        running.start()
    assert not running.alive


def test_a_port_in_use_is_named(repository: Path, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        running = model_server(repository, tmp_path, grpc_port=port)
        with pytest.raises(ModelServerError, match=f"gRPC port {port}"):
            running.start()


@pytest.mark.parametrize(
    ("describes", "complaint"),
    [
        ('[[3, 11], 0, "/lib", "libpython3.11.a", "/lib"]', "without a shared libpython"),
        ('[[3, 11], 1, "/nowhere", "libpython3.11.so.1.0", "/lib"]', "without a shared libpython"),
    ],
)
def test_a_python_that_cannot_run_the_stub_is_named(
    repository: Path, tmp_path: Path, describes: str, complaint: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '{describes}'\n")
    python.chmod(0o755)
    with pytest.raises(ModelServerError, match=complaint):
        model_server(repository, tmp_path, triton_python=python).start()


def test_a_missing_environment_and_a_missing_server_are_named(
    repository: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelServerError, match="no Python for the model server"):
        model_server(repository, tmp_path, triton_python=tmp_path / "none").start()
    with pytest.raises(ModelServerError, match="is nvidia-pytriton installed"):
        model_server(repository, tmp_path, triton_python=Path(sys.executable)).start()


def test_a_model_whose_process_was_killed_is_not_healthy(repository: Path, tmp_path: Path) -> None:
    running = model_server(repository, tmp_path)
    running.start()
    try:
        assert running.healthy
        assert running.pid is not None
        worker = next(
            child
            for child in psutil.Process(running.pid).children(recursive=True)
            if "/ranker/" in " ".join(child.cmdline())
        )
        worker.kill()
        deadline_s = time.monotonic() + 10
        while running.healthy:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        assert running.alive  # which is why `alive` is not enough
    finally:
        running.stop()
    assert not running.healthy


def test_the_server_ends_with_a_parent_that_is_killed(repository: Path, tmp_path: Path) -> None:
    ports = [free_port() for _ in range(3)]
    code = (
        "import os, sys, time; from pathlib import Path; "
        "from serving.local.model_server import ModelServer; "
        f"server = ModelServer(Path({str(repository)!r}), Path({str(tmp_path)!r}), "
        f"Path({str(TRITON_PYTHON)!r}), *{ports}, Path({str(tmp_path / 'log')!r}), "
        "dict(os.environ)); "
        "server.start(); print(server.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        triton = psutil.Process(int(parent.stdout.readline()))
        children = triton.children(recursive=True)
        parent.send_signal(signal.SIGKILL)
    assert len(children) == 2
    assert not psutil.wait_procs([triton, *children], timeout=20)[1]


def test_a_server_can_be_stopped_and_started_again(repository: Path, tmp_path: Path) -> None:
    running = model_server(repository, tmp_path)
    running.start()
    first = running.pid
    try:
        running.stop()
        running.stop()
        assert not running.alive
        running.start()
        assert running.alive
        assert running.pid != first
    finally:
        running.stop()
    assert not list(Path("/dev/shm").glob(f"*_{os.getpid()}_{running.grpc_address[-5:]}*"))
