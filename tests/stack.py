"""The real stack for tests: what `make serve` starts, on a small catalogue and free ports."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[1]
START_S = 240.0
STOP_S = 60.0


@dataclass(slots=True)
class RunningStack:
    """A stack that answers, and what is in it."""

    url: str
    folder: Path
    process: subprocess.Popen[str]
    greeting: str
    client: httpx.Client

    @property
    def sample(self) -> dict[str, Any]:
        """A regular shopper, popular items and a query (serving.local.prepare.Sample)."""
        found: dict[str, Any] = json.loads((self.folder / "prepared.json").read_text())["sample"]
        return found

    def processes(self) -> list[psutil.Process]:
        """Every process that the stack started, itself first."""
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]


def run_stack(state: Path, port: int, *options: str) -> Iterator[RunningStack]:
    """Start, yield when it answers, stop with SIGTERM; nothing of it may stay behind."""
    command = [sys.executable, "-m", "serving.local", "--state", str(state), "--port", str(port)]
    process = subprocess.Popen(
        [*command, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(os.environ),
        start_new_session=True,
    )
    greeting = _until_answers(process)
    url = f"http://127.0.0.1:{port}"
    folder = next(path.parent for path in state.glob("*/prepared.json"))
    client = httpx.Client(
        base_url=url, headers={"authorization": "Bearer dev"}, timeout=httpx.Timeout(30)
    )
    stack = RunningStack(url, folder, process, greeting, client)
    started = stack.processes()
    try:
        yield stack
        started += [each for each in stack.processes() if each not in started]
    finally:
        client.close()
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            for each in started:
                if each.is_running():
                    each.kill()
            raise
    _, left = psutil.wait_procs(started, timeout=10)
    assert process.returncode == 0
    assert not left, f"still running after the stop: {left}"


def _until_answers(process: subprocess.Popen[str]) -> str:
    """What the stack printed, up to and with its greeting."""
    assert process.stdout is not None
    deadline_s = time.monotonic() + START_S
    printed: list[str] = []
    os.set_blocking(process.stdout.fileno(), False)
    while time.monotonic() < deadline_s:
        line = process.stdout.readline()
        if line:
            printed.append(line)
            if line.startswith("search:"):
                time.sleep(0.2)
                return "".join([*printed, process.stdout.read() or ""])
        elif process.poll() is not None:
            break
        else:
            time.sleep(0.1)
    process.kill()
    raise AssertionError(f"the stack did not start:\n{''.join(printed)}")
