"""Spans as they come over the wire: OTLP over HTTP, protobuf (Python) or JSON (Triton)."""

import base64
import gzip
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

MAX_BYTES = 16 * 1024 * 1024  # of one request, unpacked


class BrokenSpansError(Exception):
    """The body is not what its content type says."""


@dataclass(frozen=True, slots=True)
class Span:
    """A finished span. Ids are hex; times are unix nanoseconds; links are (trace_id, span_id).

    Attributes are what JSON has: scalars, lists and objects.
    """

    trace_id: str
    span_id: str
    parent_id: str  # "" for a root
    name: str
    service: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()
    failed: bool = False

    @property
    def duration_ms(self) -> float:
        """Never negative, whatever two clocks say."""
        return max(self.end_ns - self.start_ns, 0) / 1e6


def read_spans(body: bytes, content_type: str, encoding: str = "") -> list[Span]:
    """The spans of an export request, protobuf or JSON; raises BrokenSpansError."""
    try:
        data = _unpacked(body, encoding)
        if "json" in content_type:
            # OTLP's JSON writes ids in hex where protobuf's own JSON mapping has base64: the
            # mapping makes bytes of them, and base64 of those is the hex again.
            request = ParseDict(_object(data), ExportTraceServiceRequest(), True)
            return _spans(request, lambda raw: bytes.fromhex(base64.b64encode(raw).decode()).hex())
        return _spans(ExportTraceServiceRequest.FromString(data), bytes.hex)
    except Exception as error:  # each of the parsers has errors of its own
        raise BrokenSpansError(type(error).__name__) from error


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise ValueError(encoding)
    with gzip.open(io.BytesIO(body)) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError("too long")
    return data


def _object(data: bytes) -> dict[str, Any]:
    parsed = orjson.loads(data)
    if not isinstance(parsed, dict):
        raise TypeError(type(parsed).__name__)
    return parsed


def _spans(request: ExportTraceServiceRequest, read_id: Callable[[bytes], str]) -> list[Span]:
    return [
        Span(
            trace_id=read_id(span.trace_id),
            span_id=read_id(span.span_id),
            parent_id=read_id(span.parent_span_id),
            name=span.name,
            service=str(_attributes(resource.resource.attributes).get("service.name", "")),
            start_ns=span.start_time_unix_nano,
            end_ns=span.end_time_unix_nano,
            attributes=_attributes(span.attributes),
            links=tuple((read_id(link.trace_id), read_id(link.span_id)) for link in span.links),
            failed=span.status.code == span.status.STATUS_CODE_ERROR,
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(element) for element in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return None if kind is None else getattr(value, kind)
