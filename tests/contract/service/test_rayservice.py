"""The chart's serveConfigV2, deployed as it stands on a local Ray: addresses and paths swapped."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from loadtests.stack import RunningStack
from serving.local.machine import free_port
from serving.local.models import ROOT
from serving.local.ray_environment import ray_environment

FIRST_BY_MODEL_S = 60.0
START_S = 180.0
pytestmark = pytest.mark.timeout(400)

# What says where something lies; everything else is deployed as it is rendered.
PLACES = (
    ("access", "keys_path"),
    ("access", "pseudonym_key_path"),
    ("model", "grpc_address"),
    ("model", "tokenizer_path"),
    ("store",),
    ("retrieval", "vectors_path"),
    ("retrieval", "neighbors_path"),
    ("rules_path",),
    ("objective_path",),
)


def rendered() -> dict[str, Any]:
    """serveConfigV2 of the default profile."""
    documents = yaml.safe_load_all((ROOT / "k8s" / "vitrine.yaml").read_text())
    (service,) = (each for each in documents if each and each["kind"] == "RayService")
    found: dict[str, Any] = yaml.safe_load(service["spec"]["serveConfigV2"])
    return found


def settings_of(stack: RunningStack) -> dict[str, Any]:
    """Those of the stack's own application."""
    for process in stack.processes():
        line = process.cmdline()
        if "serving.local.app_process" in line:
            path = Path(line[line.index("--settings") + 1])
            found: dict[str, Any] = json.loads(path.read_text())
            return found
    raise AssertionError("no application runs")


def here(config: dict[str, Any], stack: RunningStack, port: int) -> dict[str, Any]:
    """`config` with the addresses and paths of this machine."""
    (application,) = config["applications"]
    args, own = application["args"], settings_of(stack)
    for *way, name in PLACES:
        target, source = args, own
        for step in way:
            target, source = target[step], source[step]
        assert name in target, f"args.{'.'.join([*way, name])} is not rendered"
        target[name] = source[name]
    config["http_options"] = {**config["http_options"], "host": "127.0.0.1", "port": port}
    return config


@pytest.fixture
def deployed(stack: RunningStack, tmp_path: Path) -> Iterator[str]:
    """The address of an application that `serve run` deployed from the file."""
    port = free_port()
    path = tmp_path / "serve.yaml"
    path.write_text(yaml.safe_dump(here(rendered(), stack, port)))
    run = Path(tempfile.mkdtemp(prefix="vitrine-"))  # Unix sockets have short paths only
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ray.serve.scripts", "run", str(path), "--app-dir", str(ROOT)],
            cwd=ROOT,
            env={**os.environ, **ray_environment(run)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_can_be_interrupted,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process, tmp_path / "serve.log")
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # An HAProxy whose configuration was replaced is nobody's child any more.
        for each in of_run(run):
            each.kill()
        _, left = psutil.wait_procs(of_run(run), timeout=30)
        shutil.rmtree(run, ignore_errors=True)
        assert not left


def _can_be_interrupted() -> None:
    """A shell that starts something in the background lets it, and all it starts, ignore that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def of_run(run: Path) -> list[psutil.Process]:
    """The processes that were started with files of `run`."""
    return [
        each
        for each in psutil.process_iter(["cmdline"])
        if any(str(run) in part for part in each.info["cmdline"] or [])
    ]


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"not ready within {START_S:.0f} s: {log.read_text()[-2000:]}")


def test_the_rendered_application_answers_a_ranking_by_the_model(
    deployed: str, stack: RunningStack
) -> None:
    sample = stack.sample
    body = {
        "user_id": sample["user_id"],
        "candidates": [{"item_id": item_id} for item_id in sample["item_ids"]],
        "budget_ms": 5000,
    }
    headers = {"authorization": "Bearer dev"}
    # Two stacks have just started on this machine: rules may answer first, and not for long.
    deadline_s = time.monotonic() + FIRST_BY_MODEL_S
    while True:
        answer = httpx.post(f"{deployed}/v1/rank", json=body, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        if answer.json()["route"] == "model" or time.monotonic() > deadline_s:
            break
        time.sleep(0.5)
    assert answer.json()["route"] == "model"
    refused = httpx.post(f"{deployed}/v1/rank", json=body, headers={"authorization": "Bearer x"})
    assert refused.status_code == 401
