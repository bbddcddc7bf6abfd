"""Faults: each breaks one thing of a running stack and, if it does not end by itself, mends it."""

import json
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import psutil

from loadtests.chaos.clock import ShiftedClock
from loadtests.chaos.nats_process import NatsProcess
from loadtests.chaos.proxy import DelayingProxy
from loadtests.chaos.redis_process import RedisProcess
from loadtests.stack import RunningStack
from serving.training.publish.repository import PublishError, switch, version_in_use

# What to look for in the command lines of the stack's processes.
TRITON = "bin/tritonserver"
RANKER = "ServeReplica:vitrine:Ranker"
INGRESS = "ServeReplica:vitrine:Ingress"


@dataclass(frozen=True, slots=True)
class Rig:
    """A stack and what stands around it."""

    stack: RunningStack
    proxy: DelayingProxy | None = None  # between serving and Triton
    server: RedisProcess | NatsProcess | None = None  # that holds the log
    clock: ShiftedClock | None = None

    def find(self, pattern: str) -> list[psutil.Process]:
        """The stack's processes whose command line or name holds `pattern`."""
        matching = []
        for process in self.stack.processes():
            try:
                if pattern in " ".join([*process.cmdline(), process.name()]):
                    matching.append(process)
            except psutil.NoSuchProcess:
                continue
        return matching


@dataclass(frozen=True, slots=True)
class Fault:
    """`inflict` breaks and returns what mends, or None when nothing is left to mend.

    process: whose restarts are counted; restarts: how many there must be.
    """

    name: str
    inflict: Callable[[Rig], Callable[[], None] | None]
    lasts_s: float = 0.0
    process: str | None = None
    restarts: int = 0
    quick: bool = False  # part of QUICK=1
    rig: Literal["files", "redis", "nats", "clock"] = (
        "files"  # where its stores are, whose clock moves
    )


def _kill(pattern: str) -> Callable[[Rig], None]:
    """The newest: of a proxy that was reloaded, the old process only ends its connections."""

    def inflict(rig: Rig) -> None:
        newest = max(rig.find(pattern), key=lambda process: process.create_time())
        newest.send_signal(signal.SIGKILL)

    return inflict


def _killed(name: str, pattern: str, restarts: int = 1, quick: bool = False) -> Fault:
    return Fault(f"kill {name}", _kill(pattern), 0.0, pattern, restarts, quick)


def _stop_triton(rig: Rig) -> Callable[[], None]:
    """SIGSTOP: it accepts connections and answers nothing."""
    (triton,) = rig.find(TRITON)
    stopped = [triton, *triton.children(recursive=True)]
    for process in stopped:
        process.suspend()

    def mend() -> None:
        for process in reversed(stopped):
            process.resume()

    return mend


def _fill_disk(rig: Rig) -> Callable[[], None]:
    """No file may grow: the kernel refuses writes of ingress and ingest as a full disk does."""
    writers = [*rig.find(INGRESS), *rig.find("features.ingest")]
    before = [process.rlimit(psutil.RLIMIT_FSIZE) for process in writers]
    for process, (_, hard) in zip(writers, before, strict=True):
        process.rlimit(psutil.RLIMIT_FSIZE, (1, hard))

    def mend() -> None:
        for process, limit in zip(writers, before, strict=True):
            process.rlimit(psutil.RLIMIT_FSIZE, limit)

    return mend


def _slow_network(rig: Rig) -> Callable[[], None]:
    """Every packet between serving and Triton takes 300 ms."""
    assert rig.proxy is not None
    proxy = rig.proxy
    proxy.delay_s = 0.3

    def mend() -> None:
        proxy.delay_s = 0.0

    return mend


def _altered_version(rig: Rig) -> None:
    """A version whose file was altered after it was sealed is asked to be served."""
    models = rig.stack.folder / "models"
    served = version_in_use(models, "ranker")
    assert served is not None
    altered = models / "ranker" / str(served + 1)
    shutil.copytree(models / "ranker" / str(served), altered)
    file = next(altered.rglob("*.onnx"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    running = json.loads((rig.stack.folder / "running.json").read_text())
    try:
        switch(models, "ranker", served + 1, [running["triton_url"]])
    except PublishError:
        return
    finally:
        shutil.rmtree(altered)
    raise AssertionError("the altered version was taken into use")


def _kill_server(rig: Rig) -> Callable[[], None]:
    assert rig.server is not None
    rig.server.kill()
    return rig.server.start


def _stall_server(rig: Rig) -> Callable[[], None]:
    assert rig.server is not None
    process = psutil.Process(rig.server.pid)
    process.suspend()
    return process.resume


def _jump_clock(seconds: int) -> Callable[[Rig], Callable[[], None]]:
    def inflict(rig: Rig) -> Callable[[], None]:
        assert rig.clock is not None
        clock = rig.clock
        clock.shift(seconds)
        return lambda: clock.shift(0)

    return inflict


FAULTS = (
    _killed("Triton", TRITON, quick=True),
    Fault("stop Triton (SIGSTOP)", _stop_triton, 8.0, TRITON, 0, quick=True),
    Fault("slow network to Triton (300 ms)", _slow_network, 8.0, TRITON, 0),
    _killed("a Ranker replica", RANKER, quick=True),
    _killed("an ingress replica", INGRESS, quick=True),
    _killed("the Serve controller", "ServeController"),
    _killed("HAProxy", "bin/haproxy"),
    _killed("ingest", "features.ingest"),
    Fault("event log's disk full", _fill_disk, 8.0, "features.ingest", 0),
    Fault("altered model version", _altered_version, 0.0, TRITON, 0),
    Fault("kill Redis", _kill_server, 5.0, rig="redis"),
    Fault("stall Redis (SIGSTOP)", _stall_server, 8.0, rig="redis"),
    Fault("kill NATS", _kill_server, 5.0, rig="nats"),
    Fault("stall NATS (SIGSTOP)", _stall_server, 8.0, rig="nats"),
    Fault("clock an hour ahead", _jump_clock(3600), 8.0, rig="clock"),
    Fault("clock an hour back", _jump_clock(-3600), 8.0, rig="clock"),
)
