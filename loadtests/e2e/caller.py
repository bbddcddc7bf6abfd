"""Asks for rankings at a fixed rate, from a pod: a script, `python caller.py URL RATE SECONDS`.

Only the standard library, as it is handed into a pod whole. Half of the requests open a connection
of their own, the other half use kept ones. One JSON line a second, of the requests that were sent
in it; SIGTERM ends it with what is still under way.
"""

import http.client
import json
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections import Counter, defaultdict
from urllib.parse import urlsplit

HANGS_S = 2.0
GIVEN_UP_S = 15.0
_BODY = {"query": "milk", "limit": 10, "budget_ms": 1000}


class Caller:
    """Requests that are due are answered by whichever thread is free."""

    def __init__(self, url: str, key: str, rate: float, shoppers: int = 50) -> None:
        parts = urlsplit(url)
        # Once: the address of a Service stays, and a lost answer of the cluster's DNS takes 5 s.
        self._host, self._port = socket.gethostbyname(parts.hostname or ""), parts.port or 80
        self._key, self._rate, self._shoppers = key, rate, shoppers
        self._due: queue.SimpleQueue[tuple[int, float] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._seconds: dict[int, Counter[str]] = defaultdict(Counter)
        self._worst: dict[int, float] = defaultdict(float)
        self.stopped = threading.Event()

    def run(self, seconds: float) -> None:
        """Until `seconds` are over or `stopped` is set."""
        threads = [threading.Thread(target=self._work) for _ in range(max(int(self._rate * 8), 16))]
        for thread in threads:
            thread.start()
        started_s, printed = time.time(), int(time.time())
        for number in range(round(seconds * self._rate)):
            due_s = started_s + number / self._rate
            if self.stopped.wait(max(due_s - time.time(), 0.0)):
                break
            self._due.put((number, due_s))
            # A second is told when the slowest of its requests is over.
            while printed < int(time.time() - GIVEN_UP_S - 1):
                self._print(printed)
                printed += 1
        for _ in threads:
            self._due.put(None)
        for thread in threads:
            thread.join()
        for second in range(printed, int(time.time()) + 1):
            self._print(second)

    def _print(self, second: int) -> None:
        with self._lock:
            counts, worst = self._seconds.pop(second, None), self._worst.pop(second, 0.0)
        if counts:
            line = {"second": second, "worst_ms": round(1e3 * worst), "counts": dict(counts)}
            print(json.dumps(line), flush=True)

    def _work(self) -> None:
        kept: http.client.HTTPConnection | None = None
        while (task := self._due.get()) is not None:
            number, due_s = task
            sent_s = time.time()
            if number % 2:
                result, kept = self._ask(number, kept or self._connection())
            else:
                result, connection = self._ask(number, self._connection())
                if connection:
                    connection.close()
            took_s = time.time() - sent_s
            with self._lock:
                counts = self._seconds[int(due_s)]
                counts[result] += 1
                counts["hanging"] += took_s > HANGS_S
                self._worst[int(due_s)] = max(self._worst[int(due_s)], took_s)

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, self._port, timeout=GIVEN_UP_S)

    def _ask(
        self, number: int, connection: http.client.HTTPConnection
    ) -> tuple[str, http.client.HTTPConnection | None]:
        """How it was answered, and the connection if it can be kept."""
        used = connection.sock is not None
        body = json.dumps({**_BODY, "user_id": str(number % self._shoppers)})
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        try:
            connection.request("POST", "/v1/search", body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            connection.close()
            if used:  # the other side closed what was kept: every client asks again at once
                return self._ask(number, self._connection())
            return f"failed: {type(error).__name__}", None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return f"failed: {type(error).__name__}", None
        if answer.status != 200:
            kind = "rejected" if answer.status in (429, 503) else "failed"
            return f"{kind}: {answer.status}", connection
        return json.loads(text)["route"], connection


def main() -> None:
    """Ends by itself."""
    url, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    caller = Caller(url, os.environ["VITRINE_KEY"], rate)
    signal.signal(signal.SIGTERM, lambda *_: caller.stopped.set())
    caller.run(seconds)


if __name__ == "__main__":
    main()
