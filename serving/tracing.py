"""Measure once, tell three ways: span, metric and Server-Timing share the stage names."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from opentelemetry import propagate, trace

from serving.metrics import BATCH_ROWS, BATCH_WAIT_SECONDS, STAGE_SECONDS
from serving.types import Stage

_TRACER = trace.get_tracer("vitrine")


_SECONDS_OF = {stage: STAGE_SECONDS.labels(stage=stage.value) for stage in Stage}


class Batched(Protocol):
    """What a reply tells of the batch it was scored in."""

    @property
    def wait_s(self) -> float: ...
    @property
    def model_s(self) -> float: ...
    @property
    def batch_rows(self) -> int: ...


class Stages:
    """The timings of one request."""

    def __init__(self) -> None:
        self._spent_s: dict[str, float] = {}

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Time a stage; it is a span, a histogram observation and a Server-Timing entry."""
        started_s = time.perf_counter()
        with _TRACER.start_as_current_span(f"ranking.{stage.value}"):
            try:
                yield
            finally:
                spent_s = time.perf_counter() - started_s
                self._spent_s[stage.value] = self._spent_s.get(stage.value, 0.0) + spent_s
                _SECONDS_OF[stage].observe(spent_s)

    def batch(self, reply: Batched) -> None:
        """Note this request's own share of its batch."""
        self._spent_s["batch_wait"] = reply.wait_s
        self._spent_s["model"] = reply.model_s
        BATCH_WAIT_SECONDS.observe(reply.wait_s)
        BATCH_ROWS.observe(reply.batch_rows)

    def header(self) -> str:
        """The value of `Server-Timing`, milliseconds."""
        return ", ".join(f"{name};dur={1000 * s:.2f}" for name, s in self._spent_s.items())


def current_traceparent() -> str | None:
    """The W3C `traceparent` of the current span; None outside of a trace."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")
