"""What HAProxy does with requests and answers, with the lines that a stack gives it."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import jinja2
import pytest
import requests
from ray.serve._private.haproxy import get_haproxy_binary

from serving.http.problems import Problem
from serving.local.machine import free_port
from serving.local.ray_environment import HAPROXY_DEFAULTS, HAPROXY_FAST_INTERVAL

ROOM = 10
# In the order of Serve's template (ray.serve._private.haproxy_templates): its error comes first.
CONFIGURATION = jinja2.Template(
    """
global
    log /dev/null local0 info
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    errorfile 503 {{ plain_error }}
    balance {{ defaults }}
frontend http_frontend
    bind 127.0.0.1:{{ port }}
    default_backend replicas
backend replicas
    http-reuse always
    default-server fastinter {{ fast_interval }} downinter 250ms fall 1 rise 1 inter 1s
    server replica 127.0.0.1:{{ replica }}
""",
    keep_trailing_newline=True,
)


class Replica(BaseHTTPRequestHandler):
    """Answers when it is let go."""

    protocol_version = "HTTP/1.1"
    let_go: ClassVar[threading.Event]
    first: ClassVar[threading.Event]  # of a request with the header x-first
    asked: ClassVar[threading.Semaphore]
    received: ClassVar[list[list[str]]]
    peers: ClassVar[list[list[str]]]
    keys: ClassVar[list[str | None]]
    request_ids: ClassVar[tuple[str, ...]]

    def do_GET(self) -> None:
        self.received.append(self.headers.get_all("x-vitrine-received", []))
        self.peers.append(self.headers.get_all("x-vitrine-peer", []))
        self.keys.append(self.headers.get("authorization"))
        self.asked.release()
        (self.first if "x-first" in self.headers else self.let_go).wait(30)
        self.send_response(200)
        self.send_header("content-length", "0")
        for request_id in self.request_ids:
            self.send_header("x-request-id", request_id)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing to stderr."""


@pytest.fixture
def replica() -> Iterator[ThreadingHTTPServer]:
    Replica.let_go, Replica.asked = threading.Event(), threading.Semaphore(0)
    Replica.first, Replica.keys = threading.Event(), []
    Replica.received, Replica.peers, Replica.request_ids = [], [], ()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Replica)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    Replica.first.set()
    Replica.let_go.set()
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def haproxy(folder: Path, replica_port: int) -> Iterator[str]:
    """The address of an HAProxy before one replica, configured as Serve does."""
    port = free_port()
    plain = folder / "500.http"
    plain.write_text("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
    path = folder / "haproxy.cfg"
    path.write_text(
        CONFIGURATION.render(
            plain_error=plain,
            defaults=HAPROXY_DEFAULTS,
            fast_interval=HAPROXY_FAST_INTERVAL,
            port=port,
            replica=replica_port,
        )
    )
    process = subprocess.Popen([get_haproxy_binary(), "-db", "-f", str(path)])
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    assert process.poll() is None, "HAProxy ended: see its lines above"
    yield f"http://127.0.0.1:{port}/"
    process.terminate()
    process.wait(10)


@pytest.fixture
def url(tmp_path: Path, replica: ThreadingHTTPServer) -> Iterator[str]:
    with haproxy(tmp_path, replica.server_port) as url:
        yield url


def test_what_no_replica_has_room_for_is_refused_in_the_words_of_the_api(url: str) -> None:
    with ThreadPoolExecutor(ROOM) as pool:
        held = [pool.submit(requests.get, url, timeout=30) for _ in range(ROOM)]
        for _ in range(ROOM):
            assert Replica.asked.acquire(timeout=10)
        refused = requests.get(url, headers={"x-request-id": 'mine "1"'}, timeout=10)
        nameless = requests.get(url, timeout=10)
        Replica.let_go.set()
        assert {each.result().status_code for each in held} == {200}
    assert refused.status_code == nameless.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["content-type"] == "application/problem+json"
    said = Problem.model_validate_json(refused.content)
    assert (said.status, said.code, said.request_id) == (503, "overloaded", 'mine "1"')
    assert Problem.model_validate_json(nameless.content).request_id == ""
    assert not Replica.asked.acquire(blocking=False), "a refused request has reached the replica"


def test_no_replica_at_all_is_told_in_the_same_words(
    url: str, replica: ThreadingHTTPServer
) -> None:
    replica.shutdown()
    replica.server_close()
    refused = requests.get(url, timeout=10)
    assert refused.status_code == 503
    assert Problem.model_validate_json(refused.content).code == "overloaded"


def test_a_node_that_answers_no_connection_is_given_up_before_a_caller_would(
    tmp_path: Path,
) -> None:
    """Its address leads nowhere, as that of a node that is gone: all tries take less than 2 s."""
    with socket.socket() as silent, ExitStack() as queued:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for _ in range(4):  # who comes after them hears nothing
            other = queued.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(silent.getsockname())
        with haproxy(tmp_path, silent.getsockname()[1]) as url:
            refused = requests.get(url, timeout=4)
    assert Problem.model_validate_json(refused.content).code == "overloaded"


def test_a_replica_is_told_when_a_request_came_and_by_haproxy_last(url: str) -> None:
    before_ms = int(1000 * time.time())
    with ThreadPoolExecutor(ROOM + 1) as pool:
        held = [pool.submit(requests.get, url, timeout=30) for _ in range(ROOM)]
        for _ in range(ROOM):
            assert Replica.asked.acquire(timeout=10)
        headers = {"x-vitrine-received": "1"}  # a caller's own
        waits = pool.submit(requests.get, url, headers=headers, timeout=30)
        time.sleep(0.1)
        reached_ms = int(1000 * time.time())
        Replica.let_go.set()
        assert {each.result().status_code for each in [*held, waits]} == {200}
    assert [len(said) for said in Replica.received] == [1] * ROOM + [2]
    forged, own = Replica.received[-1]
    assert forged == "1"
    assert before_ms <= int(own) < reached_ms


def test_a_replica_is_told_who_is_connected_and_by_haproxy_last(url: str) -> None:
    Replica.let_go.set()
    for headers in ({}, {"x-vitrine-peer": "192.0.2.1"}):  # the second one is a caller's own
        assert requests.get(url, headers=headers, timeout=10).status_code == 200
    assert Replica.peers == [["127.0.0.1"], ["192.0.2.1", "127.0.0.1"]]


@pytest.mark.parametrize(
    ("sent", "left"),
    [(("ours", "serve's"), "ours"), (("a, b", "c"), "a, b"), (("one",), "one"), ((), None)],
)
def test_an_answer_names_no_server_and_keeps_its_first_request_id(
    url: str, sent: tuple[str, ...], left: str | None
) -> None:
    Replica.request_ids = sent
    Replica.let_go.set()
    answer = requests.get(url, timeout=10)
    assert answer.status_code == 200
    assert answer.headers.get("x-request-id") == left  # several would be joined by commas
    assert "server" not in answer.headers


@pytest.mark.parametrize("quiet", ["Bearer quiet", None])
def test_of_those_who_wait_a_flood_comes_last(url: str, quiet: str | None) -> None:
    noisy = {"authorization": "Bearer noisy"}
    with ThreadPoolExecutor(ROOM + 5) as pool:

        def ask(headers: dict[str, str]) -> None:
            pool.submit(requests.get, url, headers=headers, timeout=30)

        for number in range(ROOM):
            ask({**noisy, "x-first": "1"} if number == 0 else noisy)
        for _ in range(ROOM):
            assert Replica.asked.acquire(timeout=10)
        for _ in range(4):
            ask(noisy)
        time.sleep(0.05)
        ask({} if quiet is None else {"authorization": quiet})
        time.sleep(0.05)
        Replica.first.set()  # there is room for one
        assert Replica.asked.acquire(timeout=10)
        Replica.let_go.set()
    assert Replica.keys[ROOM] == quiet
