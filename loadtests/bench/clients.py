"""Callers over HTTP: in a closed loop, where each waits for its answer, and at a given rate."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import numpy as np
import orjson

_REFUSALS = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_MOST_CALLERS = 256  # more than the service holds: beyond it somebody queues where it should refuse


@dataclass(frozen=True, slots=True)
class Answers:
    """Latencies in milliseconds, answers by kind, and how long all of it took.

    refused: answers of status 429 or 503, both with Retry-After; they are in none of the others.
    callers_cpus: processors that the callers kept busy beside what is measured.
    """

    latencies_ms: list[float]
    kinds: Counter[str]
    spent_s: float
    refused: int = 0
    callers_cpus: float | None = None

    def figures(self) -> dict[str, Any]:
        """Quantiles and rate."""
        return {
            "n": len(self.latencies_ms),
            "p50_ms": float(np.quantile(self.latencies_ms, 0.5)),
            "p99_ms": float(np.quantile(self.latencies_ms, 0.99)),
            "per_s": len(self.latencies_ms) / self.spent_s,
            "answers": dict(self.kinds),
            "refused": self.refused,
            "callers_cpus": self.callers_cpus,
        }


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to post; `body` makes the next request, `kind` says what an answer was."""

    url: str
    headers: dict[str, str]
    body: Callable[[], Any]
    kind: Callable[[Any], str]


def closed_loop(endpoint: Endpoint, clients: int, seconds: float, at_least: int = 3) -> Answers:
    """Ask for `seconds`, each client at least `at_least` times, and again when it is refused.

    Raises for a status but 200 and what api.md has for overload.
    """
    started_s = time.monotonic()

    def caller(_: int) -> tuple[list[tuple[float, str]], int]:
        timed: list[tuple[float, str]] = []
        refused = 0
        with closing(_connection(endpoint)) as connection:
            while len(timed) < at_least or time.monotonic() < started_s + seconds:
                body = orjson.dumps(endpoint.body())
                asked_s = time.perf_counter()
                status, content = _post(connection, endpoint, body)
                spent_ms = 1000 * (time.perf_counter() - asked_s)
                if status in _REFUSALS:
                    refused += 1
                    continue
                if status != HTTPStatus.OK:
                    detail = f"{status}: {content[:300]!r}"
                    raise RuntimeError(f"{endpoint.url} answered {detail}")
                timed.append((spent_ms, endpoint.kind(orjson.loads(content))))
        return timed, refused

    cpu_s = time.process_time()
    with ThreadPoolExecutor(clients) as pool:
        by_client = list(pool.map(caller, range(clients)))
    spent_s = time.monotonic() - started_s
    cpu_s = time.process_time() - cpu_s
    everything = list(itertools.chain.from_iterable(timed for timed, _ in by_client))
    kinds = Counter(kind for _, kind in everything)
    refused = sum(count for _, count in by_client)
    return Answers([ms for ms, _ in everything], kinds, spent_s, refused, cpu_s / spent_s)


def open_loop(endpoint: Endpoint, per_s: float, seconds: float, seed: int) -> Answers:
    """Ask at random times, `per_s` on average, whatever becomes of what was asked before.

    A latency counts from the time at which the request was due. Raises for a status but 200
    and what api.md has for overload, and when the callers cannot keep the rate.
    """
    rng = np.random.default_rng(seed)
    due_s = np.cumsum(rng.exponential(1 / per_s, int(per_s * seconds))).tolist()
    bodies = [orjson.dumps(endpoint.body()) for _ in due_s]
    return asyncio.run(_at_times(endpoint, due_s, bodies))


async def _at_times(endpoint: Endpoint, due_s: list[float], bodies: list[bytes]) -> Answers:
    """One event loop: a thread for each caller takes more from what is measured."""
    headers = {"content-type": "application/json", **endpoint.headers}
    waiting = asyncio.Semaphore(_MOST_CALLERS)
    cpu_s = time.process_time()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        started_s = time.perf_counter()

        async def ask(at_s: float, body: bytes) -> tuple[float, int, bytes]:
            async with session.post(endpoint.url, data=body, headers=headers) as answer:
                content = await answer.read()
            waiting.release()
            return 1000 * (time.perf_counter() - started_s - at_s), answer.status, content

        requests: list[asyncio.Task[tuple[float, int, bytes]]] = []
        for at_s, body in zip(due_s, bodies, strict=True):
            await asyncio.sleep(max(0.0, started_s + at_s - time.perf_counter()))
            if waiting.locked():
                raise RuntimeError(f"{_MOST_CALLERS} requests are waiting for an answer")
            await waiting.acquire()
            requests.append(asyncio.create_task(ask(at_s, body)))
        answers = await asyncio.gather(*requests)
    spent_s = time.perf_counter() - started_s
    cpu_s = time.process_time() - cpu_s
    good = [(ms, content) for ms, status, content in answers if status == HTTPStatus.OK]
    refused = sum(status in _REFUSALS for _, status, _ in answers)
    if len(good) + refused < len(answers):
        raise RuntimeError(f"{endpoint.url}: {Counter(status for _, status, _ in answers)}")
    kinds = Counter(endpoint.kind(orjson.loads(content)) for _, content in good)
    return Answers([ms for ms, _ in good], kinds, spent_s, refused, cpu_s / spent_s)


def _connection(endpoint: Endpoint) -> HTTPConnection:
    where = urlsplit(endpoint.url)
    return HTTPConnection(str(where.hostname), where.port, timeout=300)


def _post(connection: HTTPConnection, endpoint: Endpoint, body: bytes) -> tuple[int, bytes]:
    headers = {"content-type": "application/json", **endpoint.headers}
    connection.request("POST", urlsplit(endpoint.url).path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()
