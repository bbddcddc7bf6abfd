"""The real Triton as a child process on this machine, without a container."""

import json
import logging
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from serving.local.processes import death_signal, stop_group
from serving.local.tritonserver import (
    HOST,
    STOP_S,
    ModelServerError,
    find_installation,
    server_command,
)
from serving.training.publish.candidates import load_offered

_LOG = logging.getLogger("vitrine.model_server")
_START_S = 60.0
_TOLERANCE = 0.02


class ModelServer:
    """One tritonserver over a repository, on loopback only; a server is started once at a time.

    It ends with this process, however that ends, if the thread that called `start` lives as long
    (the kernel watches the thread).
    """

    name = "model server"

    def __init__(
        self,
        repository: Path,
        state: Path,
        triton_python: Path,
        grpc_port: int,
        http_port: int,
        metrics_port: int,
        log: Path,
        environment: Mapping[str, str],
        models: tuple[str, ...] = ("encoder", "ranker"),
        trace_url: str | None = None,
        start_s: float = _START_S,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """environment: what the child gets besides what it needs, usually this process's own.

        trace_url: where OpenTelemetry spans go (OTLP over HTTP) of calls with a traceparent.
        options: more of tritonserver's own, by their names, such as those of TLS.
        """
        self._repository = repository.resolve()
        self._state = state.resolve()
        self._triton_python = triton_python
        self._ports = {"HTTP": http_port, "gRPC": grpc_port, "metrics": metrics_port}
        self._log = log
        self._environment = environment
        self._models = models
        self._trace_url = trace_url
        self._start_s = start_s
        self._options = dict(options or {})
        self._shm_prefix = f"vitrine_{os.getpid()}_{grpc_port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._workers: dict[str, psutil.Process] = {}  # by model

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def healthy(self) -> bool:
        """Whether the process and a worker process of each model run.

        Triton answers "ready" for a model whose python process was killed, and starts no other.
        """
        if self._process is None or not self.alive:
            return False
        # To look for them reads all processes of the machine: only when one of them has gone.
        if not all(_runs(self._workers.get(model)) for model in self._models):
            children = psutil.Process(self._process.pid).children(recursive=True)
            lines = [(child, _command_line(child)) for child in children]
            pairs = [(model, *each) for model in self._models for each in lines]
            self._workers = {name: child for name, child, line in pairs if f"/{name}/" in line}
        return all(model in self._workers for model in self._models)

    @property
    def pid(self) -> int | None:
        """Process id of the last start."""
        return self._process.pid if self._process else None

    @property
    def http_url(self) -> str:
        """Where `serving.training.publish --reload` finds this server."""
        return f"http://{HOST}:{self._ports['HTTP']}"

    @property
    def metrics_url(self) -> str:
        """Where Prometheus finds this server."""
        return f"http://{HOST}:{self._ports['metrics']}/metrics"

    @property
    def grpc_address(self) -> str:
        """Where `serving.models.triton` finds this server."""
        return f"{HOST}:{self._ports['gRPC']}"

    def start(self) -> None:
        """Start, wait until every model answers, check one answer; raises ModelServerError."""
        self.stop()
        installation = find_installation(self._triton_python)
        self._check_ports()
        stub = self._state / "backends" / "python" / "triton_python_backend_stub"
        stub.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(installation.stub, stub)
        backend = installation.packages / "pytriton/tritonserver/backends/python"
        for file in filter(Path.is_file, backend.iterdir()):  # whoever compiled one left a folder
            shutil.copy(file, stub.parent / file.name)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                server_command(
                    installation,
                    self._repository,
                    self._state / "backends",
                    self._ports,
                    self._models,
                    self._shm_prefix,
                    self._trace_url,
                    self._options,
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=installation.environment(self._environment),
                start_new_session=True,  # Ctrl-C reaches the one who stops it
                preexec_fn=death_signal(),
            )
        try:
            self._wait()
            self._check_answer()
        except BaseException:
            self.stop()
            raise
        for problem in load_offered(self._repository, "ranker", [self.http_url]):
            _LOG.warning("a candidate is not served: %s", problem)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL; also takes away what a killed server leaves in shared memory."""
        if self._process is None:
            return
        stop_group(self._process, STOP_S)  # stubs may outlive the server
        for left in Path("/dev/shm").glob(f"{self._shm_prefix}*"):
            left.unlink(missing_ok=True)

    def _check_ports(self) -> None:
        for what, port in self._ports.items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError as error:
                    raise ModelServerError(
                        f"{what} port {port} of the model server cannot be used ({error.strerror})"
                    ) from None

    def _wait(self) -> None:
        deadline_s = time.monotonic() + self._start_s
        while time.monotonic() < deadline_s:
            if not self.alive:
                status = self._process.returncode if self._process else None
                raise ModelServerError(f"the model server ended ({status}): {self._last_error()}")
            if all(self._answers(f"/v2/models/{model}/ready") for model in self._models):
                return
            time.sleep(0.05)
        raise ModelServerError(
            f"the model server was not ready within {self._start_s:.0f} s: {self._last_error()}"
        )

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self.http_url + path, timeout=1.0):
                return True
        except OSError:
            return False

    def _last_error(self) -> str:
        """What the log says went wrong: its last error line, or else its last line."""
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if line]
        wrong = [line for line in lines if "Error: " in line or "option '" in line]
        return f"{(wrong or lines or ['nothing was logged'])[-1].strip()} ({self._log})"

    def _check_answer(self) -> None:
        """Ask the encoder what was answered at publishing.

        A stub under the wrong NumPy answers, and answers nonsense: readiness does not show it.
        """
        if "encoder" not in self._models:
            return
        model = json.loads(self._get("/v2/models/encoder"))
        version, datatype = model["versions"][-1], model["inputs"][0]["datatype"]
        manifest = self._repository / "encoder" / version / "manifest.json"
        probe = json.loads(manifest.read_text())["probe"]
        rows, width = len(probe["tokens"]), len(probe["tokens"][0])
        data = [token for row in probe["tokens"] for token in row]
        tensor = {"name": "TOKENS", "datatype": datatype, "shape": [rows, width], "data": data}
        answer = json.loads(self._get("/v2/models/encoder/infer", {"inputs": [tensor]}))
        values = answer["outputs"][0]["data"]
        size = len(values) // rows
        for row, expected in enumerate(probe["vectors"]):
            actual = values[row * size : row * size + len(expected)]
            if any(abs(a - b) > _TOLERANCE for a, b in zip(actual, expected, strict=True)):
                raise ModelServerError(
                    "the model server gives wrong vectors: is NumPy 1 in its environment?"
                )

    def _get(self, path: str, body: object = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(self.http_url + path, data, timeout=30.0) as response:
                content: bytes = response.read()
                return content
        except urllib.error.HTTPError as error:
            detail = error.read().decode(errors="replace")
            raise ModelServerError(f"the model server refused a check: {detail}") from None
        except OSError as error:
            raise ModelServerError(f"the model server did not answer a check: {error}") from None


def _runs(process: psutil.Process | None) -> bool:
    """Not one that has ended, whether or not its parent has looked after it."""
    with suppress(psutil.Error):
        return bool(process and process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # gone, or a zombie
        return ""
