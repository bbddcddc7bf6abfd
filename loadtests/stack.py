"""The real stack, for tests and measurements: what `make serve` starts, on free ports."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from features.store.feature_store import apply, open_store
from serving.local.models import ROOT, TRITON_PYTHON
from serving.local.processes import death_signal
from serving.local.state_folder import StateFolderError, folder_of, prepared, store_for

START_S = 600.0  # with much other work on the machine; two minutes on a quiet one
STOP_S = 60.0
WORK = Path("build/load").resolve()


@dataclass(slots=True)
class RunningStack:
    """A stack that answers, and what is in it."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]
    greeting: str
    client: httpx.Client

    @property
    def sample(self) -> dict[str, Any]:
        """A regular shopper, popular items and a query (serving.local.prepare.Sample)."""
        sample: dict[str, Any] = json.loads((self.folder / "prepared.json").read_text())["sample"]
        return sample

    def processes(self) -> list[psutil.Process]:
        """Every process that the stack started, itself first."""
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]


def run_stack(
    state: Path,
    port: int,
    *options: str,
    environment: Mapping[str, str] | None = None,
    root: Path = ROOT,
) -> Iterator[RunningStack]:
    """Start, yield when it answers, stop with SIGTERM; nothing of it may stay behind, also when
    this process is interrupted or killed while it starts.

    environment: beside this process's own; root: the checkout whose stack it is.
    """
    command = [sys.executable, "-m", "serving.local", "--state", str(state), "--port", str(port)]
    printed = state / "printed.txt"
    state.mkdir(parents=True, exist_ok=True)
    with printed.open("wb") as out:
        process = subprocess.Popen(
            [*command, *options],
            cwd=root,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            preexec_fn=death_signal(),
        )
    started: list[psutil.Process] = []
    try:
        greeting = _until_answers(process, printed)
        url = f"http://127.0.0.1:{port}"
        folder = next(path.parent for path in state.glob("*/prepared.json"))
        with httpx.Client(
            base_url=url, headers={"authorization": "Bearer dev"}, timeout=httpx.Timeout(30)
        ) as client:
            stack = RunningStack(url, folder, process, greeting, client)
            started = stack.processes()
            yield stack
            started += [child for child in stack.processes() if child not in started]
    finally:
        _stop(process, started)
    _, left = psutil.wait_procs(started, timeout=10)
    assert process.returncode == 0
    assert not left, f"still running after the stop: {left}"


def _stop(process: subprocess.Popen[bytes], started: list[psutil.Process]) -> None:
    """started: processes of the stack, which are killed where it does not end by itself."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        top = psutil.Process(process.pid)
        for child in {top, *top.children(recursive=True), *started}:
            if child.is_running():
                child.kill()
        raise


def prepare(state: Path, data: str, n_items: int) -> Path:
    """Prepare `data` as `make serve` does, and start nothing; its folder in `state`."""
    folder = folder_of(state, data)
    command = [sys.executable, "-m", "serving.local.prepare", "--data", data]
    command += ["--folder", str(folder), "--datasets", str(state / "datasets")]
    command += ["--items", str(n_items), "--triton-python", str(TRITON_PYTHON)]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder


def copied(kept: Path, state: Path, data: str) -> Path:
    """A copy of a state as it was prepared, to be served in another place; its folder there."""
    shutil.copytree(kept, state, dirs_exist_ok=True)
    folder = folder_of(state, data)
    store = store_for(folder, None)
    apply(open_store(store), store)  # Feast's registry knows paths
    return folder


def fresh_state(data: str, n_items: int) -> Path:
    """A state as it was prepared: every run starts from the same one, and all but the first soon.

    It always lies in the same place.
    """
    state, kept = WORK / "state", WORK / f"prepared-{n_items}"
    shutil.rmtree(state, ignore_errors=True)
    try:
        ready = prepared(folder_of(kept, data))
    except StateFolderError:  # of an older version, and with nothing in it that was not prepared
        ready = None
    if ready is None:
        shutil.rmtree(folder_of(kept, data), ignore_errors=True)
        prepare(state, data, n_items)
        shutil.copytree(state, kept, dirs_exist_ok=True)
    else:
        shutil.copytree(kept, state)
    return state


def _until_answers(process: subprocess.Popen[bytes], printed: Path) -> str:
    """What the stack printed, up to and with its greeting."""
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        text = printed.read_text()
        if "\nsearch:\n" in text and text.endswith("\n\n"):
            return text
        time.sleep(0.1)
    raise AssertionError(f"the stack did not start:\n{printed.read_text()}")
