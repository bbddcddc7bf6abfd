"""tritonserver as it is installed on this machine: its pieces, environment and command line.

The wheel nvidia-pytriton carries the server. What it takes to run it (docs/model-server.md): an
environment of its own with NumPy 1, the stub copied to where the server looks for it, and the
shared libpython of that environment's interpreter on the library path.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
STOP_S = 10.0
# Kernels of NumPy's OpenBLAS, the fastest first, and what a processor needs for them. OpenBLAS asks
# for the processor's model: one that is younger than the library gets kernels of 2004, and a
# ranking's matches take it twice as long.
_KERNELS = {
    "SkylakeX": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
    "Haswell": {"avx2", "fma"},
}
_CPUINFO = Path("/proc/cpuinfo")
_EXIT_S = int(STOP_S) - 2  # for requests under way; then the server ends by itself
_DESCRIBE = (
    "import json, sys, sysconfig; v = sysconfig.get_config_var; "
    "print(json.dumps([sys.version_info[:2], v('Py_ENABLE_SHARED'), v('LIBDIR'), v('INSTSONAME'), "
    "sysconfig.get_path('purelib')]))"
)


class ModelServerError(Exception):
    """The model server cannot run; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the pieces of the model server's environment lie."""

    python: Path
    packages: Path
    library_folder: Path  # of libpython
    stub: Path

    @property
    def binary(self) -> Path:
        """The server itself."""
        return self.packages / "pytriton/tritonserver/bin/tritonserver"

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """What the server gets in its environment: `given`, and the way to its libraries."""
        kept = {
            name: value
            for name, value in given.items()
            if name not in ("VIRTUAL_ENV", "PYTHONHOME")
        }
        libraries = [str(self.packages / "nvidia_pytriton.libs"), str(self.library_folder)]
        if "LD_LIBRARY_PATH" in kept:  # where CUDA lies, on a machine with a GPU
            libraries.append(kept["LD_LIBRARY_PATH"])
        return {
            **kernels(_CPUINFO.read_text()),
            **kept,
            "PATH": f"{self.python.parent}:{kept.get('PATH', '/usr/bin:/bin')}",
            "PYTHONPATH": str(self.packages),
            "LD_LIBRARY_PATH": ":".join(libraries),
            # Threads are the model's (config.pbtxt); NumPy's products here are too small to share.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }


def kernels(cpuinfo: str) -> dict[str, str]:
    """Which kernels OpenBLAS is to take; what it finds itself where none are named."""
    flags = {word for line in cpuinfo.splitlines() if line[:5] == "flags" for word in line.split()}
    fit = [name for name, needed in _KERNELS.items() if needed <= flags]
    return {"OPENBLAS_CORETYPE": fit[0]} if fit else {}


def find_installation(python: Path) -> Installation:
    """What lies beside `python`, the interpreter of the model server's environment.

    Raises ModelServerError when a piece is missing, or cannot run the Python backend.
    """
    if not python.is_file():
        raise ModelServerError(f"no Python for the model server at {python}: run `make serve`")
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
    installation = Installation(python.absolute(), Path(packages), Path(folder), stub)
    for piece in (installation.binary, installation.stub):
        if not piece.is_file():
            raise ModelServerError(f"{piece} is missing: is nvidia-pytriton installed?")
    return installation


def server_command(
    installation: Installation,
    repository: Path,
    backends: Path,
    ports: Mapping[str, int],
    models: Sequence[str],
    shm_prefix: str,
    trace_url: str | None = None,
    more: Mapping[str, str] | None = None,
) -> list[str]:
    """The server's command line, on loopback only.

    ports: of HTTP, gRPC and metrics; shm_prefix: of the names of its shared memory; trace_url and
    more: see ModelServer.
    """
    # Rate 0: Triton samples nothing by itself, and traces only calls that carry a sampled
    # traceparent. By default the exporter waits 5 s, and drops spans when more than 2,048 wait.
    tracing = [
        "mode=opentelemetry",
        "level=TIMESTAMPS",
        "rate=0",
        f"opentelemetry,url={trace_url}",
        "opentelemetry,bsp_schedule_delay=500",
        "opentelemetry,bsp_max_queue_size=16384",
    ]
    options = {
        "model-repository": repository,
        "backend-directory": backends,
        # What is served changes by request only: see serving/training/publish/models.py.
        "model-control-mode": "explicit",
        "http-address": HOST,
        "http-port": ports["HTTP"],
        "http-thread-count": 2,
        "grpc-address": HOST,
        "grpc-port": ports["gRPC"],
        # Connections end gracefully after a minute, so that callers resolve the server's name
        # again and find servers that were added. Only a cluster needs it; set here, it is tested.
        "grpc-max-connection-age": 60_000,
        "grpc-max-connection-age-grace": 10_000,
        "metrics-address": HOST,
        "metrics-port": ports["metrics"],
        "allow-gpu-metrics": "false",
        "exit-timeout-secs": _EXIT_S,
        "backend-config": f"python,shm-region-prefix-name={shm_prefix}",
        **(more or {}),
    }
    return [
        str(installation.binary),
        "--disable-auto-complete-config",
        *(f"--{name}={value}" for name, value in options.items()),
        *(f"--load-model={model}" for model in models),
        *(f"--trace-config={entry}" for entry in tracing if trace_url),
    ]
