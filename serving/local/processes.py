"""Child processes of the local stack: started together, watched, stopped by their own ids."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

APP_READY = "app-ready"  # in the run folder once the application is deployed
_PR_SET_PDEATHSIG = 1
_MARK = "VITRINE_CHILD"
_STOP_S = 20.0
_STEADY_S = 60.0  # a process that ran this long is restarted at once
_MAX_RESTART_WAIT_S = 20.0


def death_signal(niceness: int = 0) -> Callable[[], None]:
    """For `preexec_fn`: the child gets SIGTERM when the thread that starts it ends.

    niceness: how far it steps back behind other processes, 0 to 19
    """
    prctl = ctypes.CDLL(None).prctl  # found before the fork: nothing is imported after it
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before the kernel was asked
            os._exit(1)
        os.nice(niceness)

    return ask


def stop_group(process: "subprocess.Popen[bytes]", wait_s: float) -> None:
    """SIGTERM, SIGKILL after `wait_s`, and SIGKILL for what is left of its process group."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    with contextlib.suppress(ProcessLookupError):  # the whole group has ended
        os.killpg(process.pid, signal.SIGKILL)


@dataclass(slots=True)
class Child:
    """One process of the stack, and how to start it again."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str]
    niceness: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, in a group of its own, so that Ctrl-C reaches only the one who stops it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self.environment, _MARK: self._mark},
                start_new_session=True,
                preexec_fn=death_signal(self.niceness),
            )

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def healthy(self) -> bool:
        """Whether it does its work, as far as can be seen from outside."""
        return self.alive

    def stop(self) -> None:
        """SIGTERM, then SIGKILL for what is left of its group."""
        if self.process is None:
            return
        stop_group(self.process, _STOP_S)
        self._kill_orphans()

    def _kill_orphans(self) -> None:
        """End what it started in groups of their own: an orphaned HAProxy would hold the port."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(_MARK) == self._mark:
                    process.kill()

    @property
    def _mark(self) -> str:
        """What all its descendants have in their environment, and no other process."""
        return f"{self.name}:{self.log}"

    def last_words(self, n_lines: int = 3) -> str:
        """The end of its log, for an error message."""
        if not self.log.is_file():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-n_lines:])


class Restarts:
    """When one process is started again: at once when it ran long, else later and later."""

    def __init__(self) -> None:
        self.due_s: float | None = None
        self._started_s = time.monotonic()
        self._quick = 0  # ends in a row that came soon after a start

    def plan(self) -> float:
        """The process has ended; seconds until it should be started again."""
        now_s = time.monotonic()
        self._quick = 0 if now_s - self._started_s > _STEADY_S else self._quick + 1
        wait_s = min(2.0**self._quick - 1, _MAX_RESTART_WAIT_S)
        self.due_s = now_s + wait_s
        return wait_s

    def done(self) -> None:
        """It is being started."""
        self.due_s = None
        self._started_s = time.monotonic()


@dataclass(slots=True)
class Recurring:
    """A process that ends by itself, and is started again `every_s` after its last start, if it is
    `wanted` then.

    A run that takes longer than that is let finish.
    """

    child: Child
    every_s: float
    wanted: Callable[[], bool] = lambda: True
    _due_s: float = 0.0  # monotonic; at once

    def start_when_due(self) -> None:
        """One look at the clock."""
        if time.monotonic() >= self._due_s and not self.child.alive:
            self._due_s = time.monotonic() + self.every_s
            if self.wanted():
                self.child.start()


def written(path: Path, settings: dict[str, Any]) -> Path:
    """`path`, with these settings in it."""
    path.write_text(json.dumps(settings, indent=2))
    return path
