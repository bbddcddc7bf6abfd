"""Spans over the wire: protobuf as OpenTelemetry sends it, JSON as Triton sends it."""

import copy
import gzip
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanContext, StatusCode, TraceFlags
from opentelemetry.util.types import AnyValue

from serving.local.traces import otlp
from serving.local.traces.otlp import BrokenSpansError, Span, read_spans
from serving.local.traces.store import KEPT_SPANS, KEPT_TRACES, TraceStore, head, rows
from serving.local.traces.viewer import TraceViewer

TRACE = "34a19d900effeab5d63f9dc1a37caedd"
JSON = "application/json"
PROTOBUF = "application/x-protobuf"

# Part of what Triton 2.51 sent for one call.
OF_TRITON: dict[str, Any] = {
    "resourceSpans": [
        {
            "resource": {
                "attributes": [
                    {"key": "telemetry.sdk.language", "value": {"stringValue": "cpp"}},
                    {"key": "service.name", "value": {"stringValue": "triton-inference-server"}},
                ]
            },
            "scopeSpans": [
                {
                    "scope": {"name": "triton-server"},
                    "spans": [
                        {
                            "attributes": [
                                {"key": "triton.model_name", "value": {"stringValue": "encoder"}},
                                {"key": "triton.model_version", "value": {"intValue": "1"}},
                            ],
                            "endTimeUnixNano": "1795520356523172198",
                            "events": [
                                {"name": "REQUEST_START", "timeUnixNano": "1795520356508724126"},
                                {"name": "REQUEST_END", "timeUnixNano": "1795520356523172198"},
                            ],
                            "kind": 2,
                            "name": "encoder",
                            "parentSpanId": "115349db044a6d95",
                            "spanId": "435283b0f998d42d",
                            "startTimeUnixNano": "1795520356508724126",
                            "traceId": TRACE,
                        }
                    ],
                }
            ],
        }
    ]
}


@pytest.fixture
def viewer() -> Iterator[TraceViewer]:
    with TraceViewer() as found:
        yield found


def span(trace_id: str = TRACE, span_id: str = "1", parent_id: str = "", start_ns: int = 0) -> Span:
    return Span(trace_id, span_id, parent_id, f"span {span_id}", "vitrine", start_ns, start_ns + 1)


def changed(name: str, value: object) -> bytes:
    """Triton's request with one field of its span set."""
    request = copy.deepcopy(OF_TRITON)
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][0][name] = value
    return orjson.dumps(request)


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_what_opentelemetry_exports_arrives_whole(
    viewer: TraceViewer, compression: Compression
) -> None:
    provider = TracerProvider(resource=Resource({SERVICE_NAME: "vitrine"}))
    exporter = OTLPSpanExporter(endpoint=viewer.otlp_url, compression=compression)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    mate = SpanContext(int(TRACE, 16), 0xB7AD6B7169203331, True, TraceFlags(1))
    attributes: dict[str, AnyValue] = {
        "batch.rows": 50,
        "outcome": "ok",
        "lag_s": 0.5,
        "parts": ["a"],
    }
    with (
        tracer.start_as_current_span("POST /v1/rank") as root,
        tracer.start_as_current_span("ranking.model", attributes=attributes, links=[Link(mate)]) as
        model,
    ):  # fmt: skip
        model.set_status(StatusCode.ERROR)
    provider.shutdown()
    outer, inner = viewer.store.trace(f"{root.get_span_context().trace_id:032x}")
    assert (outer.name, outer.service, outer.parent_id) == ("POST /v1/rank", "vitrine", "")
    assert inner.parent_id == outer.span_id == f"{root.get_span_context().span_id:016x}"
    assert inner.attributes == attributes
    assert inner.links == ((TRACE, "b7ad6b7169203331"),)
    assert (outer.failed, inner.failed) == (False, True)
    assert outer.start_ns <= inner.start_ns <= inner.end_ns <= outer.end_ns


def test_what_triton_sends_is_read_with_its_ids_in_hex() -> None:
    (found,) = read_spans(orjson.dumps(OF_TRITON), JSON)
    assert found == Span(
        trace_id=TRACE,
        span_id="435283b0f998d42d",
        parent_id="115349db044a6d95",
        name="encoder",
        service="triton-inference-server",
        start_ns=1_795_520_356_508_724_126,
        end_ns=1_795_520_356_523_172_198,
        attributes={"triton.model_name": "encoder", "triton.model_version": 1},
    )
    assert found.duration_ms == 14.448072


def test_ids_are_in_lower_case_whatever_a_sender_writes() -> None:
    (found,) = read_spans(changed("traceId", TRACE.upper()), JSON)
    assert found.trace_id == TRACE


def test_an_error_in_json_is_an_error() -> None:
    (found,) = read_spans(changed("status", {"code": 2}), JSON)
    assert found.failed


@pytest.mark.parametrize(
    ("body", "content_type", "encoding"),
    [
        (b"\xff\xff\xff", PROTOBUF, ""),
        (b"{", JSON, ""),
        (b"[]", JSON, ""),
        (b"null", JSON, ""),
        (b'{"resourceSpans": 5}', JSON, ""),
        (changed("traceId", "no hex at all"), JSON, ""),
        (changed("spanId", 5), JSON, ""),
        (changed("startTimeUnixNano", "yesterday"), JSON, ""),
        (changed("endTimeUnixNano", str(2**64)), JSON, ""),
        (b"not packed", PROTOBUF, "gzip"),
        (gzip.compress(b"{}")[:-4], JSON, "gzip"),
        (gzip.compress(bytes(otlp.MAX_BYTES + 1)), JSON, "gzip"),
        (b"", PROTOBUF, "zstd"),
    ],
)
def test_a_broken_body_is_refused_and_nothing_is_kept(
    viewer: TraceViewer, body: bytes, content_type: str, encoding: str
) -> None:
    headers = {"content-type": content_type, "content-encoding": encoding}
    assert httpx.post(viewer.otlp_url, content=body, headers=headers).status_code == 400
    assert viewer.store.trace_ids() == []
    with pytest.raises(BrokenSpansError):
        read_spans(body, content_type, encoding)


def test_the_trace_that_was_quiet_longest_makes_room() -> None:
    store = TraceStore()
    for number in range(KEPT_TRACES):
        store.add([span(str(number))])
    store.add([span("0", "2"), span("new")])
    assert len(store.trace_ids()) == KEPT_TRACES
    assert store.trace_ids()[:2] == ["new", "0"]
    assert store.trace("1") == []
    assert len(store.trace("0")) == 2


def test_a_trace_keeps_so_many_spans_and_none_twice() -> None:
    store = TraceStore()
    store.add(span(span_id=str(number)) for number in range(KEPT_SPANS + 5))
    store.add([span(span_id="0", start_ns=7)])
    kept = store.trace(TRACE)
    assert len(kept) == KEPT_SPANS
    assert [each.start_ns for each in kept if each.span_id == "0"] == [7]


def test_a_tree_has_parents_first_and_siblings_by_start() -> None:
    spans = [span(span_id="root"), span(span_id="b", parent_id="root", start_ns=2)]
    spans += [span(span_id="c", parent_id="b", start_ns=3)]
    spans += [span(span_id="a", parent_id="root", start_ns=4)]
    assert [(row.span.span_id, row.depth) for row in rows(spans)] == [
        ("root", 0), ("b", 1), ("c", 2), ("a", 1),
    ]  # fmt: skip


def test_spans_without_a_known_parent_stand_at_the_top_as_orphans_after_the_roots() -> None:
    spans = [span(span_id="x", parent_id="gone"), span(span_id="y", parent_id="x", start_ns=1)]
    assert head(spans).span_id == "x"
    spans += [span(span_id="root", start_ns=2)]
    assert head(spans).span_id == "root"
    assert [(row.span.span_id, row.depth, row.orphan) for row in rows(spans)] == [
        ("root", 0, False), ("x", 0, True), ("y", 1, False),
    ]  # fmt: skip


def test_spans_in_a_circle_are_shown_once_each() -> None:
    spans = [span(span_id="a", parent_id="b"), span(span_id="b", parent_id="a", start_ns=1)]
    assert [(row.span.span_id, row.orphan) for row in rows(spans)] == [("a", True), ("b", False)]
    assert head(spans).span_id == "a"
