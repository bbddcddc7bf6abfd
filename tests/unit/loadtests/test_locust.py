"""The load test as a process against a server of ours: what it sends, sees and exits with."""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from loadtests.load.shop import Shop
from serving.local.machine import free_port
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


def _command(url: str, out: Path, *options: str) -> list[str]:
    """Locust, for three seconds at 20 requests a second."""
    shop = out / "shop.json"
    Shop(["1", "2"], ["milk", "bread"], ["ada"]).write(shop)
    command = [sys.executable, "-m", "locust", "-f", "loadtests/load/locustfile.py"]
    command += ["--host", url, "--shop", str(shop), "--out", str(out), "--shape", "cold_cache"]
    return [*command, "--rate", "20", "--seconds", "3", *options]


def _run(url: str, out: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit status and load.json."""
    command = _command(url, out, "--headless", *options)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    return done.returncode, json.loads((out / "load.json").read_text())


def _told(report: Path, ask: Callable[[], object], seconds: float = 60.0) -> dict[str, Any]:
    """A new load.json, as soon as `ask` works and it is there."""
    report.unlink(missing_ok=True)
    deadline_s, asked = time.monotonic() + seconds, False
    while time.monotonic() < deadline_s:
        with suppress(OSError, json.JSONDecodeError):
            if not asked:
                ask()
                asked = True
            found: dict[str, Any] = json.loads(report.read_text())
            return found
        time.sleep(0.2)
    raise AssertionError(f"no {report.name} within {seconds:.0f} s")


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


def test_each_run_of_the_web_ui_is_one_of_its_own(tmp_path: Path) -> None:
    swarm = f"http://127.0.0.1:{(port := free_port())}/swarm"
    with _server() as url:
        options = ("--web-host", "127.0.0.1", "--web-port", str(port))
        locust = subprocess.Popen(_command(url, tmp_path, *options), cwd=ROOT)
        try:
            for rate in (20, 30):
                form = f"user_count=1&spawn_rate=1&rate={rate}".encode()
                found = _told(
                    tmp_path / "load.json", partial(urllib.request.urlopen, swarm, form, 5)
                )
                assert found["whole"]["asked"] == found["whole"]["answered"] == 3 * rate
        finally:
            locust.terminate()
            locust.wait()
