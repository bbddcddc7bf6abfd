"""The process that holds the local Ray node and the Serve application (`python -m`)."""

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

import serving.local.node.lean_serve  # noqa: F401  # isort: skip  # before anything imports Serve

import ray
from ray import serve

from serving.app import build_app
from serving.local.node.ray_node import LocalNode
from serving.local.processes import APP_READY
from serving.settings import Settings

_CPUS = 4  # Triton and ingest run on the same ones


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--run", type=Path, required=True, help="Folder of sockets, short path.")
    arguments = parser.parse_args()
    settings = Settings.model_validate_json(arguments.settings.read_bytes())
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    node = LocalNode(arguments.run / "ray", _CPUS)
    ray.init(address=node.address, logging_level=logging.WARNING, log_to_driver=False)
    serve.start(http_options={"host": arguments.host, "port": arguments.port})
    try:
        serve.run(build_app(settings), name="vitrine", route_prefix="/")
    except RuntimeError:
        _explain()
        sys.exit(1)
    (arguments.run / APP_READY).touch()
    stop.wait()
    serve.shutdown()  # type: ignore[no-untyped-call]
    ray.shutdown()
    node.kill_all_processes()


def _explain() -> None:
    """Print what the replicas died of: Serve's own error does not say."""
    for application in serve.status().applications.values():
        for name, deployment in application.deployments.items():
            lines = [line for line in deployment.message.splitlines() if line.strip()]
            if deployment.status != "HEALTHY" and lines:
                print("\n".join(lines), f"\n{name} did not start: {lines[-1].strip()}", flush=True)


if __name__ == "__main__":
    main()
