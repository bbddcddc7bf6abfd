"""What the callers of the cluster suite count."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from helm.tools.kubernetes import Namespace
from loadtests.e2e import caller
from loadtests.e2e.traffic import Span, Traffic
from tests.support.servers.http_server import http_server


@contextmanager
def storefront(answers: list[tuple[int, float]]) -> Iterator[str]:
    """A service that answers in turn with a status, after so many seconds; 0: it hangs up."""
    asked = iter(range(10**6))

    class Service(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status, seconds = answers[next(asked) % len(answers)]
            self.rfile.read(int(self.headers["content-length"]))
            time.sleep(seconds)
            if status == 0:
                self.close_connection = True
                return
            body = b'{"route": "model"}'
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with http_server(Service) as url:
        yield url


def counted(url: str, rate: float = 20.0, seconds: float = 1.0) -> Counter[str]:
    """All that the script counts."""
    done = subprocess.run(
        [sys.executable, caller.__file__, url, str(rate), str(seconds)],
        capture_output=True, text=True, check=True, env={"VITRINE_KEY": "dev"},
    )  # fmt: skip
    total: Counter[str] = Counter()
    for line in done.stdout.splitlines():
        total.update(json.loads(line)["counts"])
    return total


def test_every_request_is_counted_once_by_what_became_of_it() -> None:
    with storefront([(200, 0.0), (200, 0.0), (503, 0.0), (500, 0.0)]) as url:
        total = counted(url)
    assert total == {
        "model": 10, "rejected: 503": 5, "failed: 500": 5, "hanging": 0,
    }  # fmt: skip


def test_a_connection_that_is_refused_has_failed() -> None:
    with storefront([(200, 0.0)]) as url:
        pass
    assert counted(url, rate=5)["failed: ConnectionRefusedError"] == 5


def test_a_slow_answer_hangs() -> None:
    with storefront([(200, caller.HANGS_S + 0.3)]) as url:
        total = counted(url, rate=3)
    assert (total["model"], total["hanging"]) == (3, 3)


def test_only_a_kept_connection_may_be_closed_without_an_answer() -> None:
    with storefront([(0, 0.0)]) as url:
        assert counted(url, rate=4)["failed: RemoteDisconnected"] == 4


class Told(Namespace):
    """A namespace whose pod has said `lines`."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        super().__init__("storefront")
        self._lines = lines

    def kubectl(self, *arguments: str, given: str | None = None, timeout_s: float = 600) -> str:
        assert arguments[0] == "logs"
        return "".join(json.dumps(line) + "\n" for line in self._lines)


def test_a_phase_holds_the_seconds_between_its_bounds() -> None:
    lines = [
        {"second": 100, "worst_ms": 900, "counts": {"failed: OSError": 1, "hanging": 0}},
        {"second": 101, "worst_ms": 40, "counts": {"model": 9, "rejected: 503": 1, "hanging": 0}},
        {"second": 102, "worst_ms": 50, "counts": {"model": 8, "fallback": 2, "hanging": 1}},
        {"second": 103, "worst_ms": 800, "counts": {"failed: OSError": 1, "hanging": 0}},
    ]
    phase = Traffic(Told(lines), "http://vitrine", "key", "image").phase(Span("upgrade", 101, 103))
    assert (phase.sent, phase.routes["model"], phase.hanging, phase.worst_ms) == (20, 17, 1, 50)
    assert (phase.failed, phase.rejected) == ({}, {"503": 1})
    assert not phase.clean


@pytest.mark.parametrize("name", ["caller.py"])
def test_what_is_handed_into_a_pod_needs_nothing_of_ours(name: str) -> None:
    source = Path(caller.__file__).with_name(name).read_text()
    assert "import loadtests" not in source
    assert "from loadtests" not in source
