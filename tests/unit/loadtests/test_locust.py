"""The load test as a process against a server of ours: what it sends, sees and exits with."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from loadtests.load.shop import Shop
from serving.local.models import ROOT
from tests.support.servers.http_server import http_server

pytestmark = pytest.mark.slow


class _Handler(BaseHTTPRequestHandler):
    """Answers as the service does; the first ranking holds all others for `stall_s`."""

    protocol_version = "HTTP/1.1"
    route = "model"
    stall_s = 0.0
    turn = threading.Lock()

    def do_GET(self) -> None:
        with self.turn:
            time.sleep(self.stall_s)
            type(self).stall_s = 0.0
        items = [{"item_id": "1"}, {"item_id": "2"}]
        self._answer(200, {"ranking_id": "r", "route": self.route, "items": items})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/events":
            self._answer(202, {"accepted": 1, "duplicates": 0, "rejected": []})
        else:
            self.do_GET()

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def _server(route: str = "model", stall_s: float = 0.0) -> Iterator[str]:
    facts = {"route": route, "stall_s": stall_s, "turn": threading.Lock()}
    with http_server(type("Handler", (_Handler,), facts)) as url:
        yield url


def _run(url: str, out: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit status and load.json of three seconds at 20 requests a second."""
    shop = out / "shop.json"
    Shop(["1", "2"], ["milk", "bread"], ["ada"]).write(shop)
    command = [sys.executable, "-m", "locust", "-f", "loadtests/load/locustfile.py", "--headless"]
    command += ["--host", url, "--shop", str(shop), "--out", str(out), "--shape", "cold_cache"]
    command += ["--rate", "20", "--seconds", "3", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    return done.returncode, json.loads((out / "load.json").read_text())


def test_a_good_server_passes_and_gets_exactly_what_was_asked(tmp_path: Path) -> None:
    with _server() as url:
        # Two workers and a master, as in distributed mode.
        status, found = _run(url, tmp_path, "--p99-ms", "9000", "--processes", "2")
    assert (status, found["broken"]) == (0, [])
    assert found["whole"]["asked"] == found["whole"]["answered"] == 60
    assert {row["name"] for row in found["endpoints"]} >= {"search", "rank", "events"}
    assert "<svg" in (tmp_path / "load.html").read_text()


def test_nobody_there_fails(tmp_path: Path) -> None:
    status, found = _run("http://127.0.0.1:9", tmp_path)
    assert status == 1
    assert found["whole"]["failed"] == 60


def test_a_stall_is_in_the_percentiles_of_all_who_came_meanwhile(tmp_path: Path) -> None:
    with _server(route="fallback", stall_s=2.5) as url:
        status, found = _run(url, tmp_path, "--p99-ms", "1500")
    assert status == 1
    # Sent nevertheless, and when it was due; a closed loop would show one slow request.
    assert found["whole"]["achieved_share"] == 1.0
    assert found["whole"]["p50_ms"] > 500
    assert [reason.split()[0] for reason in found["broken"]] == ["fallbacks", "p99"]
