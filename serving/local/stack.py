"""The local stack: Triton, ingest and the Serve application, watched and restarted."""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from rich.console import Console

from features.telemetry.progress import waiting
from serving.local.machine import Address, StackError, check_machine, free_port
from serving.local.model_server import ModelServer
from serving.local.models import RUNNING
from serving.local.processes import APP_READY, Child, Restarts, written
from serving.local.ray_environment import ray_environment
from serving.local.readings import readings_job
from serving.local.state_folder import DEV_KEY, Encoder, Prepared, settings_for
from serving.local.tracing import Tracing
from serving.local.tritonserver import ModelServerError
from serving.pictures.settings import PictureSettings

_START_S = 300.0  # a busy machine takes 90 s for Ray alone; what ends is told at once


# Each thread of a process has a heap of its own, which keeps what was freed. One is enough where
# Python lets one thread run at a time. (To give back at once what was freed costs a ranking 6 %.)
_ONE_HEAP = {"MALLOC_ARENA_MAX": "1"}


@dataclass(frozen=True, slots=True)
class Layout:
    """What may be other than usual, most of it for proofs under faults.

    triton_port: of the model server's gRPC; triton_via: the port that serving calls instead, of a
    proxy in between; redis: host:port, stores there instead of in files; nats: URL, the log there
    instead of in that Redis; replicas: of the ingress; with several there is a Ranker, as many;
    assistant: whether MCP is answered.
    """

    triton_port: int | None = None
    triton_via: int | None = None
    redis: str | None = None
    nats: str | None = None
    replicas: int = 1
    assistant: bool = False


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
        encoder: Encoder | None = None,
        pictures: PictureSettings | None = None,
    ) -> None:
        self._folder = folder
        self._address = address
        self._has_dev_key = keys is None
        self._console = console
        # Unix sockets have short paths only; a state folder may lie deep.
        self._run = Path(tempfile.mkdtemp(prefix="vitrine-"))
        tracing = tracing or Tracing()
        environment = {**_ONE_HEAP, **environment}
        metrics = self._run / "metrics"
        metrics.mkdir()
        # prometheus_client takes either name, and Feast makes a folder for the one that is missing.
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
            encoder,
            layout.nats,
            layout.assistant,
            pictures,
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
            models=("encoder", "ranker", *(["pictures"] if pictures else [])),
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
        if pictures is not None:
            parts = settings.model_dump(mode="json", include={"store", "model", "pictures"})
            started = {**shared, **tracing.environment("vitrine-pictures")}
            self.children.append(self._child("pictures", parts, ["serving.pictures"], started))
        self._readings = readings_job(settings, folder, self._run, environment)
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
            with waiting(self._console, "starting the model server"):
                self.model_server.start()
            with waiting(self._console, "starting Ray Serve and waiting for the first ranking"):
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
            self._readings.start_when_due()

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
        self._readings.child.stop()
        for member in reversed(self._members):
            member.stop()
        self._running.unlink(missing_ok=True)
        shutil.rmtree(self._run, ignore_errors=True)

    def _child(
        self, name: str, settings: dict[str, Any], module: list[str], environment: Mapping[str, str]
    ) -> Child:
        path = written(self._run / f"{name}.json", settings)
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
