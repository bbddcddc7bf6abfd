"""Where spans go, for every process of ours: OpenTelemetry's own environment variables decide.

OTEL_TRACES_EXPORTER (none or otlp), OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_SERVICE_NAME.
Replicas get their provider from Ray Serve, which asks `span_processors` for exporters
(RAY_SERVE_TRACING_EXPORTER_IMPORT_PATH); a process without Serve calls `start_tracing`.
"""

import os
from collections.abc import Sequence

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

# A span leaves with these attributes only, whoever set more of them: so no id of a shopper, no
# query and no text of an exception gets out. Serve's own `request_id` is the caller's header.
ALLOWED_ATTRIBUTES = frozenset(
    {
        "http.request.method", "http.response.status_code", "http.route",
        "app", "deployment", "call_method", "replica_id",
        "batch.rows", "batch.requests", "batch.dispatch", "events", "outcome", "sampled",
        "ranking.experiments", "shop",
    }
)  # fmt: skip


class AllowedOnly(SpanExporter):
    """Passes spans on without what is not allowed, and without events: those hold exceptions."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See SpanExporter."""
        return self._exporter.export([_allowed(span) for span in spans])

    def shutdown(self) -> None:
        """See SpanExporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See SpanExporter."""
        return self._exporter.force_flush(timeout_millis)


_MAX_LINKS = 32
_TRACER = trace.get_tracer("vitrine")


def span_processors() -> list[SpanProcessor]:
    """The processors that the environment asks for; raises ValueError for an unknown exporter."""
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "none")
    if exporter == "none":
        return []
    if exporter != "otlp":
        raise ValueError(f"OTEL_TRACES_EXPORTER: none or otlp, not {exporter!r}")
    return [BatchSpanProcessor(AllowedOnly(OTLPSpanExporter()), schedule_delay_millis=1_000)]


def start_tracing() -> None:
    """Set this process's provider, when an exporter is asked for.

    Every span here has a parent that was sampled elsewhere, so there is nothing left to sample.
    """
    processors = span_processors()
    if processors:
        provider = TracerProvider()
        for processor in processors:
            provider.add_span_processor(processor)
        trace.set_tracer_provider(provider)


def trace_written(traceparents: Sequence[str | None], started_ns: int) -> None:
    """A span `features.write` in the trace of each event of a batch that is now written.

    started_ns: when the batch was taken up, unix nanoseconds. Each links to the others.
    """
    sampled = {traceparent for traceparent in traceparents if traceparent}
    contexts = [propagate.extract({"traceparent": parent}, Context()) for parent in sorted(sampled)]
    spans = [trace.get_current_span(context).get_span_context() for context in contexts]
    for index, context in enumerate(contexts):
        _TRACER.start_span(
            "features.write", context, attributes={"events": len(traceparents)},
            links=[trace.Link(mate) for mate in spans[:index] + spans[index + 1 :]][:_MAX_LINKS],
            start_time=started_ns,
        ).end()  # fmt: skip


def _allowed(span: ReadableSpan) -> ReadableSpan:
    attributes = {
        name: value for name, value in (span.attributes or {}).items() if name in ALLOWED_ATTRIBUTES
    }
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        links=span.links,
        kind=span.kind,
        status=trace.Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
