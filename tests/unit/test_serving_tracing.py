"""Measured once, told three ways, in the trace of the caller; and no id in any of them."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from serving.tracing import Stages, current_traceparent
from serving.types import Stage
from tests.unit.serving_shop import Shop, candidates

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """The process has one tracer provider; here its spans stay in memory."""
    found = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    trace.set_tracer_provider(provider)
    return found


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter
    exporter.clear()


def named(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


async def test_a_request_joins_the_trace_of_its_caller(
    spans: InMemorySpanExporter, tokenizer_path: Any
) -> None:
    shop = Shop(tokenizer_path)
    body = {"user_id": "ann", "candidates": candidates("very-own-item")}
    await shop.call("POST", "/v1/rank", json=body, headers={"traceparent": PARENT})
    found = named(spans)
    server = found["POST /v1/rank"]
    assert server.context is not None
    assert server.parent is not None
    assert f"{server.context.trace_id:032x}" == TRACE
    assert f"{server.parent.span_id:016x}" == "b7ad6b7169203331"
    assert server.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/rank",
        "http.response.status_code": 200,
    }
    for stage in (Stage.VALIDATE, Stage.FEATURES, Stage.SCORE, Stage.SLATE):
        span = found[f"ranking.{stage.value}"]
        assert span.parent is not None
        assert span.parent.span_id == server.context.span_id
    # The model server is told of the same trace.
    assert (shop.scorer.jobs[0].traceparent or "").split("-")[1] == TRACE
    assert not any("very-own-item" in span.to_json() for span in found.values())


@pytest.mark.parametrize("header", ["nonsense", f"00-{'0' * 32}-{'0' * 16}-01", ""])
async def test_a_broken_traceparent_begins_a_trace_of_its_own(
    spans: InMemorySpanExporter, tokenizer_path: Any, header: str
) -> None:
    shop = Shop(tokenizer_path)
    await shop.call("DELETE", "/v1/items/very-own-item", headers={"traceparent": header})
    (span,) = spans.get_finished_spans()
    assert span.name == "DELETE /v1/items/{item_id}"
    assert span.parent is None


def test_a_stage_that_is_entered_twice_is_one_entry(spans: InMemorySpanExporter) -> None:
    stages = Stages()
    for _ in range(2):
        with stages.stage(Stage.RULES):
            assert current_traceparent() is not None
    assert stages.header().count("rules;dur=") == 1
    assert len(spans.get_finished_spans()) == 2
    assert current_traceparent() is None


def test_a_stage_that_fails_is_timed_all_the_same(spans: InMemorySpanExporter) -> None:
    stages = Stages()
    with pytest.raises(KeyError), stages.stage(Stage.SCORE):
        raise KeyError("a bug")
    assert "score;dur=" in stages.header()
