"""Measure once, tell three ways: span, metric and Server-Timing share the stage names."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, StatusCode

from serving.telemetry.metrics import BATCH_WAIT_SECONDS, STAGE_SECONDS
from serving.types import Stage

_TRACER = trace.get_tracer("vitrine")


_NAMES = {stage: f"ranking.{stage.value}" for stage in Stage}
_SECONDS_OF = {stage: STAGE_SECONDS.labels(stage=stage.value) for stage in Stage}


class Batched(Protocol):
    """What a reply tells of the batch it was scored in."""

    @property
    def wait_s(self) -> float: ...
    @property
    def model_s(self) -> float: ...


class _Timed:
    """A part of a stage, while it lasts. (A generator would take twice as long for the same.)"""

    __slots__ = ("_span", "_stage", "_stages", "_started_ns", "_started_s")

    def __init__(self, stages: "Stages", stage: Stage) -> None:
        self._stages, self._stage = stages, stage

    def __enter__(self) -> None:
        self._started_ns, self._started_s = time.time_ns(), time.perf_counter()
        # Most are not sampled, and four spans that nobody sees take a tenth of a millisecond.
        recorded = trace.get_current_span().is_recording()
        self._span = _TRACER.start_as_current_span(_NAMES[self._stage]) if recorded else None
        if self._span is not None:
            self._span.__enter__()

    def __exit__(self, *raised: Any) -> None:
        if self._span is not None:
            self._span.__exit__(*raised)
        spent_s = time.perf_counter() - self._started_s
        self._stages.spent(self._stage, self._started_ns, spent_s)


class Stages:
    """The timings of one request. waited_s: what it has waited before it came to this process."""

    def __init__(self, waited_s: float = 0.0) -> None:
        self.waited_s = waited_s
        self._spent_s: dict[Stage, float] = {}
        self._batch: Batched | None = None
        self.spans: list[tuple[str, int, int]] = []  # name, start and end: unix nanoseconds

    def stage(self, stage: Stage) -> "_Timed":
        """Time a stage, or one more part of it; each part is a span."""
        return _Timed(self, stage)

    def waited(self) -> None:
        """Count the wait before this process as the stage `wait`."""
        if self.waited_s > 0:
            self.spent(Stage.WAIT, time.time_ns() - int(self.waited_s * 1e9), self.waited_s)

    def spent(self, stage: Stage, started_ns: int, spent_s: float) -> None:
        """Count a part of a stage that is over. started_ns: unix nanoseconds."""
        self._spent_s[stage] = self._spent_s.get(stage, 0.0) + spent_s
        self.spans.append((_NAMES[stage], started_ns, started_ns + int(spent_s * 1e9)))

    def batch(self, reply: Batched) -> None:
        """Note this request's own share of its batch."""
        self._batch = reply

    @property
    def model_s(self) -> float | None:
        """The call to the model server; None when it has not answered."""
        return None if self._batch is None else self._batch.model_s

    def batch_of(self, part: "Stages") -> None:
        """Note the batch that a part of this request was scored in, if it is the first of them."""
        if self._batch is None:
            self._batch = part._batch

    def header(self) -> str:
        """The value of `Server-Timing`, milliseconds."""
        spent_s = {stage.value: spent for stage, spent in self._spent_s.items()}
        if self._batch is not None:
            spent_s |= {"batch_wait": self._batch.wait_s, "model": self._batch.model_s}
        return ", ".join(f"{name};dur={1000 * spent:.2f}" for name, spent in spent_s.items())

    def observe(self) -> None:
        """Count the request in the histograms, each stage once; it is answered."""
        for stage, spent_s in self._spent_s.items():
            _SECONDS_OF[stage].observe(spent_s)
        if self._batch is not None:
            BATCH_WAIT_SECONDS.observe(self._batch.wait_s)


def current_traceparent() -> str | None:
    """The W3C `traceparent` of the current span; None outside of a trace that is sampled."""
    if not trace.get_current_span().get_span_context().trace_flags.sampled:
        return None
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")


def context_of(traceparent: str | None) -> Context | None:
    """The sampled parent that a `traceparent` names; None when it is none, broken or unsampled."""
    if traceparent is None:
        return None
    context = propagate.extract({"traceparent": traceparent}, Context())
    parent = trace.get_current_span(context).get_span_context()
    return context if parent.trace_flags.sampled else None


@dataclass(frozen=True, slots=True)
class Waited:
    """A sampled request's share of a batch: its parent span, and when it came, unix ns."""

    parent: Context
    arrived_ns: int


class BatchSpans:
    """Spans of one call to the model for several requests: each in its own trace, all linked.

    Each sampled request has its wait (`ranking.batch_wait`) and the call (`ranking.model`), linked
    to its mates' parents. The model server can join one trace only, the first sampled one: that
    request's `ranking.model` is its parent, and the others' spans link to it (`leader`). What it
    tells of its own work is a span of everyone's.
    """

    def __init__(self, waited: Sequence[Waited], attributes: dict[str, str | int]) -> None:
        self._started_ns = started_ns = time.time_ns()
        parents = [trace.get_current_span(share.parent).get_span_context() for share in waited]
        self._spans: list[trace.Span] = []
        for index, share in enumerate(waited):
            _TRACER.start_span("ranking.batch_wait", share.parent, start_time=share.arrived_ns).end(
                started_ns
            )
            links = [Link(mate) for mate in parents[:index] + parents[index + 1 :]]
            if self._spans:
                leader = self._spans[0].get_span_context()
                links.insert(0, Link(leader, {"leader": True}))
            self._spans.append(
                _TRACER.start_span(
                    "ranking.model", share.parent, trace.SpanKind.CLIENT, attributes, links,
                    start_time=started_ns,
                )
            )  # fmt: skip

    @property
    def traceparent(self) -> str | None:
        """What the model server is told; None when nobody is sampled."""
        if not self._spans:
            return None
        carrier: dict[str, str] = {}
        propagate.inject(carrier, trace.set_span_in_context(self._spans[0], Context()))
        return carrier.get("traceparent")

    def worked(self, worked_ns: tuple[int, int] | None) -> None:
        """The model server's own account: when it began and ended, by its clock.

        Clocks of two machines differ: what lies outside of the call is moved into it.
        """
        if worked_ns is None:
            return
        spent_ns = worked_ns[1] - worked_ns[0]
        latest_ns = time.time_ns() - spent_ns
        started_ns = max(min(worked_ns[0], latest_ns), self._started_ns)
        for span in self._spans:
            context = trace.set_span_in_context(span, Context())
            _TRACER.start_span(
                "model_server.ranker", context, trace.SpanKind.SERVER, start_time=started_ns
            ).end(started_ns + spent_ns)

    def end(self, outcome: str = "ok") -> None:
        """The call is over; `outcome` is "ok" or the error's code."""
        for span in self._spans:
            span.set_attribute("outcome", outcome)
            if outcome != "ok":
                span.set_status(StatusCode.ERROR)
            span.end()


def span_afterwards(name: str, parent: Context | None, started_ns: int, **attributes: int) -> None:
    """A span of something that is over, unix nanoseconds; nothing without a parent."""
    if parent is not None:
        _TRACER.start_span(name, parent, attributes=attributes, start_time=started_ns).end()


class LateTraces:
    """Traces a request that was not sampled, when it turned out slow or failed.

    Its stages are known by their times; what other processes did for it is not.
    """

    def __init__(self, slow_s: float, processors: Sequence[SpanProcessor]) -> None:
        self._slow_s = slow_s
        # A provider of its own: the usual one would go by the decision that was made at the start.
        provider = TracerProvider(sampler=ALWAYS_ON)
        for processor in processors:
            provider.add_span_processor(processor)
        self._tracer = provider.get_tracer("vitrine")

    def consider(
        self, name: str, parent: Context, started_ns: int, status: int, stages: Stages,
        attributes: dict[str, str | int],
    ) -> None:  # fmt: skip
        """Emit spans if `status` is a failure or the request took long; it has just ended."""
        ended_ns = time.time_ns()
        failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if not failed and ended_ns - started_ns < self._slow_s * 1e9:
            return
        span = self._tracer.start_span(
            name, parent, trace.SpanKind.SERVER, {**attributes, "sampled": "late"},
            start_time=started_ns,
        )  # fmt: skip
        context = trace.set_span_in_context(span, parent)
        for stage, stage_started_ns, stage_ended_ns in stages.spans:
            self._tracer.start_span(stage, context, start_time=stage_started_ns).end(stage_ended_ns)
        if failed:
            span.set_status(StatusCode.ERROR)
        span.end(ended_ns)
