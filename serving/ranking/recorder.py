"""Answered rankings to the log, after the answer: training data with the features as ranked."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from serving.ranking.values import Slate
from serving.telemetry.metrics import RANKINGS_LOST
from serving.telemetry.stages import context_of, current_traceparent, span_afterwards

_LOG = logging.getLogger("vitrine.recorder")
_BATCH = 200


class Recorder:
    """A bounded buffer and a thread that empties it; `record` never blocks.

    The bound counts candidates, for they are the memory: 200 bytes of features each.
    """

    def __init__(
        self,
        write: Callable[[list[Slate]], None],
        observe: Callable[[list[Slate]], None] = lambda _: None,
        capacity: int = 500_000,
        interval_s: float = 0.2,
    ) -> None:
        self._write = write
        self._observe = observe
        self._buffer: deque[tuple[Slate, str | None]] = deque()  # with the trace it belongs to
        self._rows = 0
        self._count = threading.Lock()  # held for an addition only
        self._capacity = capacity
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def record(self, slate: Slate) -> None:
        """Take a slate over; when the log cannot keep up, the ranking goes unrecorded."""
        rows = max(len(slate.request.item_ids), 1)
        with self._count:
            fits = self._rows + rows <= self._capacity
            if fits:
                self._rows += rows
                self._buffer.append((slate, current_traceparent()))
        if not fits:
            RANKINGS_LOST.inc()

    def stop(self) -> None:
        """Write what is left and end."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        while self._buffer:
            taken = [self._buffer.popleft() for _ in range(min(_BATCH, len(self._buffer)))]
            slates = [slate for slate, _ in taken]
            started_ns = time.time_ns()
            try:
                self._write(slates)
            except Exception:
                RANKINGS_LOST.inc(len(slates))
                _LOG.exception("%d rankings were not recorded", len(slates))
            self._observe(slates)
            for _, traceparent in taken:
                span_afterwards("ranking.record", context_of(traceparent), started_ns)
            with self._count:
                self._rows -= sum(max(len(slate.request.item_ids), 1) for slate in slates)
