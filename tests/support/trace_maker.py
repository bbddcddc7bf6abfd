"""Traces like those of the stack, sent over the wire by OpenTelemetry's own exporter."""

import time
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, set_span_in_context
from opentelemetry.util.types import AnyValue, Attributes

MS = 1_000_000


class TraceMaker:
    """Makes spans of three services, at times that the caller chooses, in ms after `now_ns`."""

    def __init__(self, endpoint: str) -> None:
        self._providers = {
            name: TracerProvider(resource=Resource({SERVICE_NAME: name}))
            for name in ("vitrine", "vitrine-ingest", "triton-inference-server")
        }
        for provider in self._providers.values():
            provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        self.now_ns = time.time_ns()

    def span(
        self, name: str, parent: Span | None, start_ms: float, ms: float,
        attributes: Attributes = None, service: str = "vitrine",
        links: Sequence[SpanContext] = (), failed: bool = False,
    ) -> Span:  # fmt: skip
        """A span that is over, and sent."""
        started_ns = self.now_ns + int(start_ms * MS)
        span = (
            self._providers[service]
            .get_tracer("tests")
            .start_span(
                name,
                set_span_in_context(parent) if parent else None,
                SpanKind.SERVER if parent is None else SpanKind.INTERNAL,
                attributes,
                [Link(context) for context in links],
                start_time=started_ns,
            )
        )
        if failed:
            span.set_status(StatusCode.ERROR)
        span.end(started_ns + int(ms * MS))
        return span

    def ranking(self, links: Sequence[SpanContext] = (), at_ms: float = 0.0) -> Span:
        """A whole `POST /v1/rank`; returns its `ranking.model`."""
        answered: dict[str, AnyValue] = {
            "http.request.method": "POST", "http.route": "/v1/rank",
            "http.response.status_code": 200,
        }  # fmt: skip
        outer: dict[str, AnyValue] = {"http.route": "/v1/rank"}
        serve = self.span("replica_handle_request Ingress __call__", None, at_ms - 0.3, 18.7, outer)
        root = self.span("POST /v1/rank", serve, at_ms, 18.2, answered)
        self.span("ranking.validate", root, at_ms + 0.1, 0.4)
        self.span("ranking.features", root, at_ms + 0.7, 3.8)
        score = self.span("ranking.score", root, at_ms + 4.9, 11.6)
        self.span("ranking.batch_wait", score, at_ms + 5.2, 0.9)
        batch: dict[str, AnyValue] = {
            "batch.rows": 150, "batch.requests": 3, "batch.dispatch": "waited", "outcome": "ok",
        }  # fmt: skip
        model = self.span("ranking.model", score, at_ms + 6.1, 10.1, batch, links=links)
        if not links:
            triton = "triton-inference-server"
            call = self.span("InferRequest", model, at_ms + 6.6, 9.0, service=triton)
            ranker = self.span("ranker", call, at_ms + 6.9, 8.6, service=triton)
            self.span("compute", ranker, at_ms + 7.4, 7.7, service=triton)
        self.span("ranking.slate", root, at_ms + 16.7, 0.5)
        self.span("ranking.record", root, at_ms + 180.0, 4.0)
        return model

    def event(self, at_ms: float = 0.0) -> Span:
        """A `POST /v1/events` whose features are written; returns its root."""
        root = self.span("POST /v1/events", None, at_ms, 3.1, {"http.response.status_code": 202})
        append = self.span("events.append", root, at_ms + 0.6, 2.2)
        self.span("features.write", append, at_ms + 31.0, 6.4, {"events": 4}, "vitrine-ingest")
        return root

    def close(self) -> None:
        """Stop the exporters."""
        for provider in self._providers.values():
            provider.shutdown()
