"""The local stack: Triton, ingest and the Serve application, watched and restarted."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests
from rich.console import Console

from serving.local.model_server import ModelServer, ModelServerError
from serving.local.models import RUNNING
from serving.local.processes import APP_READY, Child, free_port
from serving.local.state_folder import DEV_KEY, Prepared, settings_for
from serving.local.tracing import Tracing

_MIN_MEMORY_BYTES = 3 * 1024**3
_START_S = 120.0
_STEADY_S = 60.0  # a process that ran this long is restarted at once
_MAX_RESTART_WAIT_S = 20.0


class StackError(Exception):
    """The stack cannot start; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the HTTP side listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address to call from this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Layout:
    """What may be other than usual, for proofs under faults.

    triton_port: of the model server's gRPC; triton_via: the port that serving calls instead, of a
    proxy in between; redis: host:port, stores there instead of in files; replicas: of ingress and
    Ranker each.
    """

    triton_port: int | None = None
    triton_via: int | None = None
    redis: str | None = None
    replicas: int = 1


def free_window(size: int = 32) -> int:
    """The first of `size` neighbouring ports, below the system's own range, that are all free now.

    Chosen by chance, so that two stacks that start at once hardly ever choose the same.
    """
    for _ in range(100):
        first = 15_000 + size * secrets.randbelow(17_000 // size)
        try:
            with contextlib.ExitStack() as held:
                for port in range(first, first + size):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise StackError(f"no {size} neighbouring ports are free")


def check_machine(address: Address) -> None:
    """Raise StackError for what would fail later and less clearly."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            raise StackError(
                f"port {address.port} on {address.host} cannot be used ({error.strerror}): "
                "choose another with PORT="
            ) from None
    available = psutil.virtual_memory().available
    if available < _MIN_MEMORY_BYTES:
        raise StackError(
            f"{available / 1024**3:.1f} GiB of memory are available, "
            f"{_MIN_MEMORY_BYTES / 1024**3:.0f} GiB are needed"
        )


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


class Stack:
    """All processes over one prepared folder; `start` leaves nothing half-started."""

    def __init__(
        self,
        folder: Path,
        address: Address,
        keys: Path | None,
        triton_python: Path,
        tokenizer: Path,
        environment: Mapping[str, str],
        console: Console,
        tracing: Tracing | None = None,
        layout: Layout | None = None,
    ) -> None:
        self._folder = folder
        self._address = address
        self._has_dev_key = keys is None
        self._console = console
        # Unix sockets have short paths only; a state folder may lie deep.
        self._run = Path(tempfile.mkdtemp(prefix="vitrine-"))
        tracing = tracing or Tracing()
        metrics = self._run / "metrics"
        metrics.mkdir()
        # Two names of one thing: Feast makes a folder of its own for the one that is missing.
        shared = {
            **environment,
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
            "PROMETHEUS_MULTIPROCESS_DIR": str(metrics),
        }
        layout = layout or Layout()
        grpc_port = layout.triton_port or free_port()
        settings = settings_for(
            folder,
            tokenizer,
            layout.triton_via or grpc_port,
            keys,
            layout.redis,
            layout.replicas,
        )
        self.model_server = ModelServer(
            repository=folder / "models",
            state=self._run,
            triton_python=triton_python,
            grpc_port=grpc_port,
            http_port=free_port(),
            metrics_port=free_port(),
            log=folder / "logs" / "triton.log",
            environment=environment,
            trace_url=tracing.url,
        )
        self.children = [
            self._child(
                "ingest",
                {"store": settings.store.model_dump(mode="json")},
                ["features.ingest"],
                {**shared, **tracing.environment("vitrine-ingest")},
            ),
            self._child(
                "app",
                settings.model_dump(mode="json"),
                ["serving.local.app_process", "--host", address.host, "--port", str(address.port),
                 "--run", str(self._run)],
                {**shared, **tracing.environment("vitrine"), **ray_environment(self._run)},
            ),
        ]  # fmt: skip
        self._running = folder / RUNNING
        self._restarts = {member.name: Restarts() for member in self._members}

    @property
    def _members(self) -> tuple[ModelServer | Child, ...]:
        return (self.model_server, *self.children)

    def start(self, prepared: Prepared) -> None:
        """Start everything and wait for a ranking by the model; raises StackError."""
        check_machine(self._address)
        try:
            for child in self.children:  # they take longer than the model server, so they go first
                child.start()
            with self._console.status("starting the model server"):
                self.model_server.start()
            with self._console.status("starting Ray Serve and waiting for the first ranking"):
                self._wait_for_ranking(prepared)
            running = {
                "pid": os.getpid(),
                "triton_url": self.model_server.http_url,
                "triton_metrics_url": self.model_server.metrics_url,
            }
            self._running.write_text(json.dumps(running))
        except ModelServerError as error:
            self.stop()
            raise StackError(str(error)) from None
        except BaseException:
            self.stop()
            raise

    def watch(self) -> None:
        """Restart what ends, with growing waits; never returns (a signal ends it)."""
        while True:
            time.sleep(0.2)
            self.restart_ended()

    def restart_ended(self) -> None:
        """One look at all processes."""
        for member in self._members:
            restarts = self._restarts[member.name]
            if member.healthy:
                continue
            if restarts.due_s is None:
                wait_s = restarts.plan()
                self._console.print(f"{member.name} ended; starting it again in {wait_s:.0f} s")
            elif time.monotonic() >= restarts.due_s:
                restarts.done()
                member.stop()  # what is left of its group
                try:
                    member.start()
                except ModelServerError as error:
                    self._console.print(f"{member.name}: {error}", markup=False)

    def stop(self) -> None:
        """Stop every process that was started, the newest first."""
        for member in reversed(self._members):
            member.stop()
        self._running.unlink(missing_ok=True)
        shutil.rmtree(self._run, ignore_errors=True)

    def _child(
        self, name: str, settings: dict[str, Any], module: list[str], environment: Mapping[str, str]
    ) -> Child:
        path = self._run / f"{name}.json"
        path.write_text(json.dumps(settings, indent=2))
        command = [sys.executable, "-m", *module, "--settings", str(path)]
        return Child(name, command, self._folder / "logs" / f"{name}.log", environment)

    def _wait_for_ranking(self, prepared: Prepared) -> None:
        """Ask as a storefront does, until the model answers."""
        deadline_s = time.monotonic() + _START_S
        last = "no answer yet"
        while time.monotonic() < deadline_s:
            for child in self.children:
                if not child.alive:
                    raise StackError(f"{child.name} ended: {child.last_words(1)} ({child.log})")
            # HAProxy spins on requests while it has no replica to give them to.
            if not (self._run / APP_READY).exists():
                time.sleep(0.1)
                continue
            try:
                answer = self._ask(prepared)
                last = f"{answer.status_code} {answer.text[:200]}"
                if answer.ok and answer.json().get("route", "model") == "model":
                    return
            except (requests.RequestException, ValueError):
                pass  # not there yet
            time.sleep(0.2)
        raise StackError(f"no ranking by the model within {_START_S:.0f} s (last: {last})")

    def _ask(self, prepared: Prepared) -> requests.Response:
        """One ranking; with keys that are not ours to know, readiness, which ranks as well."""
        if not self._has_dev_key:
            return requests.get(f"{self._address.url}/readyz", timeout=5)
        body = {
            "user_id": prepared.sample.user_id,
            "candidates": [{"item_id": item_id} for item_id in prepared.sample.item_ids],
            "query": prepared.sample.query,
            "budget_ms": 5000,
        }
        headers = {"authorization": f"Bearer {DEV_KEY}"}
        return requests.post(f"{self._address.url}/v1/rank", json=body, headers=headers, timeout=8)


# Serve has no settings for these: they follow the last line that it lets us write into HAProxy's
# defaults. HAProxy can repeat only what it has whole. What waits, waits in HAProxy, where it costs
# the event loop of a replica nothing, and a quarter of a second at most: so what is answered is
# answered within its budget. What is too much then is refused in our words and not in Serve's (a
# plain 500). Six at a time keep two processors busy; of more the last ones would wait for the
# loop until the model seems late to them. What a request has waited is told by when it was there:
# its budget goes on from then (serving/http/middleware.py).
HAPROXY_DEFAULTS = """\
leastconn
option http-buffer-request
default-server maxconn 6
timeout queue 250ms
unique-id-format %[date(0,ms)]
unique-id-header x-vitrine-received
http-error status 503 content-type application/problem+json hdr retry-after 1 lf-string '\
{"type":"urn:vitrine:problem:overloaded","title":"Service Unavailable","status":503,\
"detail":"no replica is free","code":"overloaded",\
"request_id":"%[req.hdr(x-request-id),json(utf8s)]"}'
"""


def ray_environment(run: Path) -> dict[str, str]:
    """What must be set before the Ray node starts (docs/adr/0004: HAProxy, throughput mode)."""
    first = free_window()
    return {
        # A port that a replica has left may be another stack's next replica's: HAProxy would go on
        # sending requests there. So each stack has ports of its own.
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first + 15),
        "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(first + 16),
        "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(first + 31),
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        # Every request of ours may be asked twice (rankings change nothing, events have ids): when
        # a replica dies over a request, another one answers it.
        "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
        "RAY_SERVE_HAPROXY_BALANCE_ALGORITHM": HAPROXY_DEFAULTS,
        # A dead proxy is found after three checks: of 10 s each by default.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "2",
        # One that starts on a busy machine is killed after 5 s by default, and all fails.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "30",
        "RAY_SERVE_HAPROXY_TUNE_BUFSIZE": "65536",  # a request that is asked again must fit
        # Two stacks on one machine must not share these.
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(run / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(run / "haproxy.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(run),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(run / "haproxy-state"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(free_port()),
        # HAProxy would tell the machine's syslog every path, with the shoppers' ids in it.
        "RAY_SERVE_HAPROXY_LOG_TARGET": "/dev/null",
        # Ray runs its workers at niceness 15: a neighbour's batch job would come first.
        "RAY_worker_niceness": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DISABLE_IMPORT_WARNING": "1",
    }
