"""The real Triton as a child process on this machine, without a container.

The wheel nvidia-pytriton carries the server. What it takes to run it (docs/model-server.md): an
environment of its own with NumPy 1, the stub copied to where the server looks for it, and the
shared libpython of that environment's interpreter on the library path.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

_HOST = "127.0.0.1"
_START_S = 60.0
_STOP_S = 10.0
_PR_SET_PDEATHSIG = 1
_TOLERANCE = 0.02
_DESCRIBE = (
    "import json, sys, sysconfig; v = sysconfig.get_config_var; "
    "print(json.dumps([sys.version_info[:2], v('Py_ENABLE_SHARED'), v('LIBDIR'), v('INSTSONAME'), "
    "sysconfig.get_path('purelib')]))"
)


class ModelServerError(Exception):
    """The model server cannot run; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class _Installation:
    """Where the pieces of the model server's environment lie."""

    python: Path
    packages: Path
    library_folder: Path  # of libpython
    stub: Path

    @property
    def binary(self) -> Path:
        return self.packages / "pytriton/tritonserver/bin/tritonserver"


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
        workers = psutil.Process(self._process.pid).children(recursive=True)
        lines = [_command_line(worker) for worker in workers]
        return all(any(f"/{model}/" in line for line in lines) for model in self._models)

    @property
    def pid(self) -> int | None:
        """Process id of the last start."""
        return self._process.pid if self._process else None

    @property
    def http_url(self) -> str:
        """Where `serving.training.publish --reload` finds this server."""
        return f"http://{_HOST}:{self._ports['HTTP']}"

    @property
    def metrics_url(self) -> str:
        """Where Prometheus finds this server."""
        return f"http://{_HOST}:{self._ports['metrics']}/metrics"

    @property
    def grpc_address(self) -> str:
        """Where `serving.models.triton` finds this server."""
        return f"{_HOST}:{self._ports['gRPC']}"

    def start(self) -> None:
        """Start, wait until every model answers, check one answer; raises ModelServerError."""
        self.stop()
        found = _find(self._triton_python)
        self._check_ports()
        stub = self._state / "backends" / "python" / "triton_python_backend_stub"
        stub.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(found.stub, stub)
        backend = found.packages / "pytriton/tritonserver/backends/python"
        for file in backend.iterdir():
            shutil.copy(file, stub.parent / file.name)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        die_with_parent = _death_signal()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(found),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._child_environment(found),
                start_new_session=True,  # Ctrl-C reaches the one who stops it
                preexec_fn=die_with_parent,
            )
        try:
            self._wait()
            self._check_answer()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """SIGTERM, then SIGKILL; also takes away what a killed server leaves in shared memory."""
        if self._process is None:
            return
        if self.alive:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        with contextlib.suppress(ProcessLookupError):  # the group is empty
            os.killpg(self._process.pid, signal.SIGKILL)  # stubs that outlived the server
        for left in Path("/dev/shm").glob(f"{self._shm_prefix}*"):
            left.unlink(missing_ok=True)

    def _command(self, found: _Installation) -> list[str]:
        # Rate 0: only calls that bring a trace, which those do whose trace is sampled. The exporter
        # waits 5 s by default, and drops spans when more than 2,048 wait.
        tracing = [
            "mode=opentelemetry",
            "level=TIMESTAMPS",
            "rate=0",
            f"opentelemetry,url={self._trace_url}",
            "opentelemetry,bsp_schedule_delay=500",
            "opentelemetry,bsp_max_queue_size=16384",
        ]
        options = {
            "model-repository": self._repository,
            "backend-directory": self._state / "backends",
            # What is served changes by request only: see serving/training/publish/models.py.
            "model-control-mode": "explicit",
            "http-address": _HOST,
            "http-port": self._ports["HTTP"],
            "http-thread-count": 2,
            "grpc-address": _HOST,
            "grpc-port": self._ports["gRPC"],
            # A connection ends after a minute, in peace: its caller asks for the name anew, and
            # finds servers that came since (on a cluster; here it is proved to cost nothing).
            "grpc-max-connection-age": 60_000,
            "grpc-max-connection-age-grace": 10_000,
            "metrics-address": _HOST,
            "metrics-port": self._ports["metrics"],
            "allow-gpu-metrics": "false",
            "exit-timeout-secs": int(_STOP_S) - 2,
            "backend-config": f"python,shm-region-prefix-name={self._shm_prefix}",
            **self._options,
        }
        return [
            str(found.binary),
            "--disable-auto-complete-config",
            *(f"--{name}={value}" for name, value in options.items()),
            *(f"--load-model={model}" for model in self._models),
            *(f"--trace-config={entry}" for entry in tracing if self._trace_url),
        ]

    def _child_environment(self, found: _Installation) -> dict[str, str]:
        kept = {
            name: value
            for name, value in self._environment.items()
            if name not in ("VIRTUAL_ENV", "PYTHONHOME")
        }
        libraries = [str(found.packages / "nvidia_pytriton.libs"), str(found.library_folder)]
        if "LD_LIBRARY_PATH" in kept:  # where CUDA lies, on a machine with a GPU
            libraries.append(kept["LD_LIBRARY_PATH"])
        return {
            **kept,
            "PATH": f"{found.python.parent}:{kept.get('PATH', '/usr/bin:/bin')}",
            "PYTHONPATH": str(found.packages),
            "LD_LIBRARY_PATH": ":".join(libraries),
            # Threads are the model's (config.pbtxt); NumPy's products here are too small to share.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }

    def _check_ports(self) -> None:
        for what, port in self._ports.items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((_HOST, port))
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
        version = json.loads(self._get("/v2/models/encoder"))["versions"][-1]
        manifest = self._repository / "encoder" / version / "manifest.json"
        probe = json.loads(manifest.read_text())["probe"]
        rows, width = len(probe["tokens"]), len(probe["tokens"][0])
        data = [token for row in probe["tokens"] for token in row]
        tensor = {"name": "TOKENS", "datatype": "INT16", "shape": [rows, width], "data": data}
        answer = json.loads(self._get("/v2/models/encoder/infer", {"inputs": [tensor]}))
        values = answer["outputs"][0]["data"]
        size = len(values) // rows
        for row, expected in enumerate(probe["vectors"]):
            got = values[row * size : row * size + len(expected)]
            if any(abs(a - b) > _TOLERANCE for a, b in zip(got, expected, strict=True)):
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


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # gone, or a zombie
        return ""


def _find(python: Path) -> _Installation:
    if not python.is_file():
        raise ModelServerError(f"no Python for the model server at {python}: run `make setup`")
    described = subprocess.run(
        [str(python), "-I", "-c", _DESCRIBE], capture_output=True, text=True, check=False
    )
    if described.returncode != 0:
        raise ModelServerError(f"{python} does not run: {described.stderr.strip()[-200:]}")
    (major, minor), shared, folder, library, packages = json.loads(described.stdout)
    if not shared or not (Path(folder) / library).is_file():
        raise ModelServerError(
            f"{python} was built without a shared libpython, which Triton's Python backend needs: "
            "use one built with --enable-shared (python.org, Debian, pyenv with "
            "PYTHON_CONFIGURE_OPTS=--enable-shared)"
        )
    root = Path(packages) / "pytriton" / "tritonserver"
    stub = root / "python_backend_stubs" / f"{major}.{minor}" / "triton_python_backend_stub"
    found = _Installation(python.absolute(), Path(packages), Path(folder), stub)
    for piece in (found.binary, found.stub):
        if not piece.is_file():
            raise ModelServerError(f"{piece} is missing: is nvidia-pytriton installed?")
    return found


def _death_signal() -> Callable[[], None]:
    """For `preexec_fn`: the child gets SIGTERM when its parent ends."""
    prctl = ctypes.CDLL(None).prctl  # found before the fork: nothing is imported after it
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before the kernel was asked
            os._exit(1)

    return ask
