"""A server of another process, once it answers."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx


def wait_until_answered(
    ask: Callable[[], httpx.Response],
    process: "subprocess.Popen[bytes]",
    log: Path,
    within_s: float,
    name: str,
) -> None:
    """Ask until the status is 200; raises RuntimeError when `process` ends or time is over."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            if ask().status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise RuntimeError(f"{name} did not start:\n{log.read_text()[-2000:]}")
