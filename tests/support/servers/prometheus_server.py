"""A real Prometheus for one test module, on a free port, with its own configuration."""

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from serving.local.machine import free_port

_START_S = 60.0


def skip_without(binary: str, request: pytest.FixtureRequest) -> str:
    """The binary; without it the test is skipped, or fails under --require-prometheus."""
    found = shutil.which(binary)
    if found is None:
        reason = f"{binary} is not on PATH (apt-get install prometheus)"
        if request.config.getoption("--require-prometheus", default=False):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Prometheus:
    """Its HTTP API."""

    def __init__(self, url: str, client: httpx.Client) -> None:
        self.url = url
        self._client = client

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of /api/v1/`path`; an error of Prometheus fails the test."""
        answer = self._client.get(f"/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def series(self, expression: str) -> list[dict[str, Any]]:
        """What an instant query gives."""
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found


@contextmanager
def prometheus_server(
    binary: str, folder: Path, targets: dict[str, str], rules: Sequence[Path] = ()
) -> Iterator[Prometheus]:
    """Scrapes `targets`, URLs by job, once a second; stopped by its own process id."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [
            {
                "job_name": job,
                "metrics_path": urlsplit(url).path,
                "static_configs": [{"targets": [urlsplit(url).netloc]}],
                # Where there are several shops, /metrics asks for a key.
                "authorization": {"credentials": "dev"},
            }
            for job, url in targets.items()
        ],
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{free_port()}"
    command = [binary, f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address={urlsplit(url).netloc}"]
    log = folder / "prometheus.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        with httpx.Client(base_url=url, timeout=30) as client:
            _wait(client, process, log)
            yield Prometheus(url, client)
    finally:
        process.terminate()
        process.wait(30)


def _wait(client: httpx.Client, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            if client.get("/-/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass  # not there yet
        time.sleep(0.1)
    raise AssertionError(f"Prometheus did not start:\n{log.read_text()[-2000:]}")
