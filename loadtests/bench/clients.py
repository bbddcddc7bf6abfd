"""Callers over HTTP: in a closed loop, where each waits for its answer, and at a given rate."""

import itertools
import json
import queue
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import numpy as np

_REFUSALS = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_MOST_CALLERS = 256  # more than the service holds: beyond it somebody queues where it should refuse


@dataclass(frozen=True, slots=True)
class Answers:
    """Latencies in milliseconds, answers by kind, and how long all of it took.

    refused: answers of status 429 or 503, both with Retry-After; they are in none of the others.
    """

    latencies_ms: list[float]
    kinds: Counter[str]
    spent_s: float
    refused: int = 0

    def figures(self) -> dict[str, Any]:
        """Quantiles and rate."""
        return {
            "n": len(self.latencies_ms),
            "p50_ms": float(np.quantile(self.latencies_ms, 0.5)),
            "p99_ms": float(np.quantile(self.latencies_ms, 0.99)),
            "per_s": len(self.latencies_ms) / self.spent_s,
            "answers": dict(self.kinds),
            "refused": self.refused,
        }


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to post; `body` makes the next request, `kind` says what an answer was."""

    url: str
    headers: dict[str, str]
    body: Callable[[], Any]
    kind: Callable[[Any], str]


def closed_loop(endpoint: Endpoint, clients: int, seconds: float, at_least: int = 3) -> Answers:
    """Ask for `seconds`, each client at least `at_least` times; raises for a status but 200."""
    started_s = time.monotonic()

    def caller(_: int) -> list[tuple[float, str]]:
        found: list[tuple[float, str]] = []
        with closing(_connection(endpoint)) as connection:
            while len(found) < at_least or time.monotonic() < started_s + seconds:
                body = json.dumps(endpoint.body())
                asked_s = time.perf_counter()
                status, content = _post(connection, endpoint, body)
                spent_ms = 1000 * (time.perf_counter() - asked_s)
                if status != HTTPStatus.OK:
                    said = f"{status}: {content[:300]!r}"
                    raise RuntimeError(f"{endpoint.url} answered {said}")
                found.append((spent_ms, endpoint.kind(json.loads(content))))
        return found

    with ThreadPoolExecutor(clients) as pool:
        everyone = list(itertools.chain.from_iterable(pool.map(caller, range(clients))))
    spent_s = time.monotonic() - started_s
    return Answers([ms for ms, _ in everyone], Counter(kind for _, kind in everyone), spent_s)


def open_loop(endpoint: Endpoint, per_s: float, seconds: float, seed: int) -> Answers:
    """Ask at random times, `per_s` on average, whatever becomes of what was asked before.

    A latency counts from the time at which the request was due. Raises for a status but 200
    and what api.md has for overload, and when the callers cannot keep the rate.
    """
    rng = np.random.default_rng(seed)
    due_s = np.cumsum(rng.exponential(1 / per_s, int(per_s * seconds))).tolist()
    bodies = [json.dumps(endpoint.body()) for _ in due_s]
    idle: queue.LifoQueue[HTTPConnection] = queue.LifoQueue()
    started_s = time.perf_counter()

    def ask(at_s: float, body: str) -> tuple[float, int, bytes]:
        try:
            connection = idle.get_nowait()
        except queue.Empty:
            connection = opened.enter_context(closing(_connection(endpoint)))
        status, content = _post(connection, endpoint, body)
        idle.put(connection)
        return 1000 * (time.perf_counter() - started_s - at_s), status, content

    with ExitStack() as opened, ThreadPoolExecutor(_MOST_CALLERS) as pool:
        asked = []
        for at_s, body in zip(due_s, bodies, strict=True):
            time.sleep(max(0.0, started_s + at_s - time.perf_counter()))
            asked.append(pool.submit(ask, at_s, body))
            if sum(not each.done() for each in asked[-_MOST_CALLERS:]) == _MOST_CALLERS:
                raise RuntimeError(f"{_MOST_CALLERS} requests are waiting for an answer")
        found = [each.result() for each in asked]
    spent_s = time.perf_counter() - started_s
    good = [(ms, content) for ms, status, content in found if status == HTTPStatus.OK]
    refused = sum(status in _REFUSALS for _, status, _ in found)
    if len(good) + refused < len(found):
        raise RuntimeError(f"{endpoint.url}: {Counter(status for _, status, _ in found)}")
    kinds = Counter(endpoint.kind(json.loads(content)) for _, content in good)
    return Answers([ms for ms, _ in good], kinds, spent_s, refused)


def _connection(endpoint: Endpoint) -> HTTPConnection:
    where = urlsplit(endpoint.url)
    return HTTPConnection(str(where.hostname), where.port, timeout=300)


def _post(connection: HTTPConnection, endpoint: Endpoint, body: str) -> tuple[int, bytes]:
    headers = {"content-type": "application/json", **endpoint.headers}
    connection.request("POST", urlsplit(endpoint.url).path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()
