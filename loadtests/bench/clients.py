"""Closed-loop callers over HTTP: each waits for its answer before it asks again."""

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import numpy as np


@dataclass(frozen=True, slots=True)
class Answers:
    """Latencies in milliseconds, answers by kind, and how long all of it took."""

    latencies_ms: list[float]
    kinds: Counter[str]
    spent_s: float

    def figures(self) -> dict[str, Any]:
        """Quantiles and rate."""
        return {
            "n": len(self.latencies_ms),
            "p50_ms": float(np.quantile(self.latencies_ms, 0.5)),
            "p99_ms": float(np.quantile(self.latencies_ms, 0.99)),
            "per_s": len(self.latencies_ms) / self.spent_s,
            "answers": dict(self.kinds),
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
    where = urlsplit(endpoint.url)
    started_s = time.monotonic()

    def caller(_: int) -> list[tuple[float, str]]:
        headers = {"content-type": "application/json", **endpoint.headers}
        found: list[tuple[float, str]] = []
        with closing(HTTPConnection(str(where.hostname), where.port, timeout=300)) as connection:
            while len(found) < at_least or time.monotonic() < started_s + seconds:
                body = json.dumps(endpoint.body())
                asked_s = time.perf_counter()
                connection.request("POST", where.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
                spent_ms = 1000 * (time.perf_counter() - asked_s)
                if answer.status != 200:
                    said = f"{answer.status}: {content[:300]!r}"
                    raise RuntimeError(f"{endpoint.url} answered {said}")
                found.append((spent_ms, endpoint.kind(json.loads(content))))
        return found

    with ThreadPoolExecutor(clients) as pool:
        everyone = list(itertools.chain.from_iterable(pool.map(caller, range(clients))))
    spent_s = time.monotonic() - started_s
    return Answers([ms for ms, _ in everyone], Counter(kind for _, kind in everyone), spent_s)
