"""What Ray Serve itself costs: a graph of our shape, with our settings, in which nobody computes.

An ingress takes a ranking's request, hands a batch of our size over the one hop, and sends an
answer of our size back: what a ranking cannot go below on this platform and machine.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import ray
from fastapi import FastAPI, Request, Response
from ray import serve
from ray.serve.handle import DeploymentHandle

from loadtests.bench.starting import wait_until_answered
from serving.local.machine import free_port
from serving.local.processes import death_signal
from serving.local.ray_environment import ray_environment

N = 100
_START_S = 120.0


class Scorer:
    """Gives a number for each candidate."""

    async def score(self, features: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Zeros (n, 5): scores and parts."""
        return np.zeros((len(features), 5), np.float32)


class Ingress:
    """HTTP in and out, one hop between."""

    def __init__(self, scorer: DeploymentHandle[Any]) -> None:
        self._scorer = scorer
        self._features = np.zeros((N, 64), np.float32)  # as many bytes as a ranking's job
        item = {"item_id": "1234567", "score": 0.5, "position": 1, "propensity": 1.0}
        self._answer = json.dumps({"route": "model", "items": [item] * N}).encode()

    async def answer(self, request: Request) -> Response:
        """What a ranking would be answered with."""
        await request.body()
        await self._scorer.score.remote(self._features)
        return Response(self._answer, media_type="application/json")

    def __serve_build_asgi_app__(self) -> FastAPI:
        app = FastAPI(openapi_url=None)
        app.post("/v1/rank")(self.answer)
        return app


@contextmanager
def empty_graph() -> Iterator[str]:
    """Its address, while the block runs."""
    port, run = free_port(), Path(tempfile.mkdtemp(prefix="vitrine-"))
    command = [sys.executable, "-m", "loadtests.bench.empty_graph"]
    command += ["--port", str(port), "--run", str(run)]
    with (run / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **ray_environment(run)}, stdout=log,
            stderr=subprocess.STDOUT, preexec_fn=death_signal(),
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_answered(
            lambda: httpx.post(f"{url}/v1/rank", content=b"{}", timeout=5),
            process,
            run / "log",
            _START_S,
            "the empty graph",
        )
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(run, ignore_errors=True)


def main() -> None:
    """Serve until SIGTERM, as serving/local/app_process.py does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--run", type=Path, required=True)
    options = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    ray.init(
        address="local",
        num_cpus=4,
        include_dashboard=False,
        object_store_memory=80 * 1024 * 1024,
        _node_ip_address="127.0.0.1",
        _temp_dir=str(options.run / "ray"),
        log_to_driver=False,
    )
    serve.start(http_options={"host": "127.0.0.1", "port": options.port})
    quiet = {"enable_access_log": False}
    scorer = serve.deployment(
        name="Scorer", max_ongoing_requests=128, ray_actor_options={"num_cpus": 0.1},
        logging_config=quiet,
    )(Scorer)  # fmt: skip
    ingress = serve.deployment(
        name="Ingress", max_ongoing_requests=64, ray_actor_options={"num_cpus": 0.1},
        logging_config=quiet,
    )(serve.ingress()(Ingress))  # fmt: skip
    serve.run(ingress.bind(scorer.bind()), name="empty", route_prefix="/")
    stop.wait()
    serve.shutdown()  # type: ignore[no-untyped-call]
    ray.shutdown()


if __name__ == "__main__":
    main()
