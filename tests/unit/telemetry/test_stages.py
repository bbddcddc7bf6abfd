"""Measured once, told three ways, in the trace of the caller; and no id in any of them."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from features.telemetry.spans import AllowedOnly
from serving.shops.rules import Rules
from serving.telemetry.stages import (
    BatchSpans,
    LateTraces,
    Stages,
    Waited,
    context_of,
    current_traceparent,
)
from serving.types import Stage
from tests.support.fakes import NOW_S
from tests.support.service import Service, candidates

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def at() -> str:
    """Now, by the shop's clock."""
    return datetime.fromtimestamp(NOW_S, UTC).isoformat()


def named(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


async def test_a_request_joins_the_trace_of_its_caller(
    spans: InMemorySpanExporter, tokenizer_path: Any
) -> None:
    shop = Service(tokenizer_path)
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
        "shop": "default",
    }
    for stage in (Stage.VALIDATE, Stage.FEATURES, Stage.SCORE, Stage.SLATE):
        span = found[f"ranking.{stage.value}"]
        assert span.parent is not None
        assert span.parent.span_id == server.context.span_id
    # The model server is told of the same trace.
    assert (shop.scorer.jobs[0].traceparent or "").split("-")[1] == TRACE
    assert not any("very-own-item" in span.to_json() for span in found.values())


async def test_the_span_of_a_request_names_its_arms_and_not_whom_they_were_drawn_by(
    spans: InMemorySpanExporter, tokenizer_path: Any
) -> None:
    arms = [{"key": "old", "weight": 0}, {"key": "new", "weight": 1}]
    experiment = {"key": "ranker", "status": "running", "arms": arms}
    shop = Service(tokenizer_path, rules=Rules.model_validate({"experiments": [experiment]}))
    body = {"user_id": "ann", "candidates": candidates("milk")}
    await shop.call("POST", "/v1/rank", json=body, headers={"traceparent": PARENT})
    kept = InMemorySpanExporter()
    AllowedOnly(kept).export(spans.get_finished_spans())
    server = named(kept)["POST /v1/rank"]
    assert (server.attributes or {})["ranking.experiments"] == ("ranker/new",)
    pseudonym = str(shop.shop.pseudonyms.user("ann"))
    assert not any(pseudonym in span.to_json() for span in kept.get_finished_spans())


async def test_a_store_that_fails_is_seen_in_the_trace(
    spans: InMemorySpanExporter, tokenizer_path: Any
) -> None:
    shop = Service(tokenizer_path)
    shop.shoppers.error = OSError("down")
    body = {"user_id": "ann", "candidates": candidates("milk")}
    await shop.call("POST", "/v1/rank", json=body, headers={"traceparent": PARENT})
    found = [span for span in spans.get_finished_spans() if span.name == "ranking.features"]
    assert [span.status.status_code for span in found] == [StatusCode.ERROR, StatusCode.UNSET]


@pytest.mark.parametrize("header", ["nonsense", f"00-{'0' * 32}-{'0' * 16}-01", ""])
async def test_a_broken_traceparent_begins_a_trace_of_its_own(
    spans: InMemorySpanExporter, tokenizer_path: Any, header: str
) -> None:
    shop = Service(tokenizer_path)
    await shop.call("DELETE", "/v1/items/very-own-item", headers={"traceparent": header})
    (span,) = spans.get_finished_spans()
    assert span.name == "DELETE /v1/items/{item_id}"
    assert span.parent is None


def test_a_stage_that_is_entered_twice_is_one_entry(spans: InMemorySpanExporter) -> None:
    stages = Stages()
    with trace.get_tracer("a test").start_as_current_span("the request"):
        for _ in range(2):
            with stages.stage(Stage.RULES):
                assert current_traceparent() is not None
    assert stages.header().count("rules;dur=") == 1
    assert [span.name for span in spans.get_finished_spans()] == [
        *["ranking.rules"] * 2, "the request",
    ]  # fmt: skip
    assert current_traceparent() is None


def test_a_stage_of_a_request_that_is_not_sampled_is_timed_and_no_span(
    spans: InMemorySpanExporter,
) -> None:
    stages = Stages()
    with stages.stage(Stage.RULES):
        assert current_traceparent() is None
    assert "rules;dur=" in stages.header()
    assert [name for name, _, _ in stages.spans] == ["ranking.rules"]
    assert spans.get_finished_spans() == ()


def test_a_stage_that_fails_is_timed_all_the_same(spans: InMemorySpanExporter) -> None:
    stages = Stages()
    with pytest.raises(KeyError), stages.stage(Stage.SCORE):
        raise KeyError("a bug")
    assert "score;dur=" in stages.header()


def test_batch_mates_link_to_each_other_and_the_first_one_leads(
    spans: InMemorySpanExporter,
) -> None:
    traces = [f"{n:032x}" for n in (10, 11, 12)]
    parents = [context_of(f"00-{trace_id}-{'1' * 16}-01") for trace_id in traces]
    waited = [Waited(parent, arrived_ns=1_000 + n) for n, parent in enumerate(parents) if parent]
    batch = BatchSpans(waited, {"batch.requests": 3})
    assert (batch.traceparent or "").split("-")[1] == traces[0]
    batch.end()
    calls = [span for span in spans.get_finished_spans() if span.name == "ranking.model"]
    assert [f"{span.context.trace_id:032x}" for span in calls if span.context] == traces
    for span in calls:
        assert span.context is not None
        mates = {f"{link.context.trace_id:032x}" for link in span.links}
        assert mates == set(traces) - {f"{span.context.trace_id:032x}"}
    leader = calls[0].context
    assert leader is not None
    assert all(follower.links[0].context.span_id == leader.span_id for follower in calls[1:])
    waits = [span for span in spans.get_finished_spans() if span.name == "ranking.batch_wait"]
    assert [span.start_time for span in waits] == [1_000, 1_001, 1_002]


def test_every_mate_s_trace_has_what_the_model_server_did(spans: InMemorySpanExporter) -> None:
    parents = [context_of(f"00-{n:032x}-{'1' * 16}-01") for n in (10, 11)]
    batch = BatchSpans([Waited(parent, 0) for parent in parents if parent], {})
    now_ns = time.time_ns()
    batch.worked((now_ns, now_ns + 1_000))
    batch.end()
    calls = [span for span in spans.get_finished_spans() if span.name == "ranking.model"]
    done = [span for span in spans.get_finished_spans() if span.name == "model_server.ranker"]
    assert [span.parent.span_id for span in done if span.parent] == [
        span.context.span_id for span in calls if span.context
    ]
    assert [(span.start_time, span.end_time) for span in done] == [(now_ns, now_ns + 1_000)] * 2


@pytest.mark.parametrize("wrong_s", [-3600, 3600])
def test_the_clock_of_another_machine_does_not_move_its_work_out_of_the_call(
    spans: InMemorySpanExporter, wrong_s: int
) -> None:
    parent = context_of(PARENT)
    assert parent is not None
    batch = BatchSpans([Waited(parent, 0)], {})
    began_ns = time.time_ns() + wrong_s * 10**9
    batch.worked((began_ns, began_ns + 1))
    batch.end()
    found = named(spans)
    call, done = found["ranking.model"], found["model_server.ranker"]
    assert call.start_time
    assert call.end_time
    assert done.start_time
    assert done.end_time
    assert call.start_time <= done.start_time <= done.end_time <= call.end_time
    assert done.end_time - done.start_time == 1


def test_a_batch_of_unsampled_requests_tells_the_model_server_nothing(
    spans: InMemorySpanExporter,
) -> None:
    assert context_of(f"00-{TRACE}-{'1' * 16}-00") is None
    batch = BatchSpans([], {})
    assert batch.traceparent is None
    batch.end("model_timeout")
    assert spans.get_finished_spans() == ()


def test_a_failed_call_marks_every_mate(spans: InMemorySpanExporter) -> None:
    parent = context_of(PARENT)
    assert parent is not None
    BatchSpans([Waited(parent, 0), Waited(parent, 0)], {}).end("model_unavailable")
    calls = [span for span in spans.get_finished_spans() if span.name == "ranking.model"]
    assert [span.status.status_code for span in calls] == [StatusCode.ERROR] * 2


UNSAMPLED = f"00-{TRACE}-b7ad6b7169203331-00"


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def late(kept: InMemorySpanExporter, slow_s: float) -> LateTraces:
    return LateTraces(slow_s, [SimpleSpanProcessor(kept)])


async def test_a_slow_request_is_traced_with_its_stages_though_nobody_sampled_it(
    kept: InMemorySpanExporter, spans: InMemorySpanExporter, tokenizer_path: Any
) -> None:
    shop = Service(tokenizer_path, late_traces=late(kept, slow_s=1e-9))
    body = {"user_id": "ann", "candidates": candidates("milk")}
    await shop.call("POST", "/v1/rank", json=body, headers={"traceparent": UNSAMPLED})
    assert spans.get_finished_spans() == ()
    found = named(kept)
    server = found["POST /v1/rank"]
    assert server.context is not None
    assert f"{server.context.trace_id:032x}" == TRACE
    score = found["ranking.score"]
    assert score.parent is not None
    assert score.parent.span_id == server.context.span_id
    assert (server.start_time or 0) <= (score.start_time or 0) < (score.end_time or 0)


async def test_a_quick_request_that_nobody_sampled_leaves_no_trace(
    kept: InMemorySpanExporter, spans: InMemorySpanExporter, tokenizer_path: Any
) -> None:
    shop = Service(tokenizer_path, late_traces=late(kept, slow_s=60.0))
    await shop.call("GET", "/healthz", headers={"traceparent": UNSAMPLED})
    assert kept.get_finished_spans() == ()


async def test_a_failure_is_traced_however_quick(
    kept: InMemorySpanExporter, spans: InMemorySpanExporter, tokenizer_path: Any
) -> None:
    shop = Service(tokenizer_path, late_traces=late(kept, slow_s=60.0))
    shop.log.error = OSError("the disk is full")
    event = {"event_id": "e", "type": "search", "query": "q", "at": at(), "session_id": "s"}
    answer = await shop.call(
        "POST", "/v1/events", json={"events": [event]}, headers={"traceparent": UNSAMPLED}
    )
    assert answer.status_code >= 500
    span = named(kept)["POST /v1/events"]
    assert span.status.status_code is StatusCode.ERROR


def test_only_allowed_attributes_leave_the_process() -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(AllowedOnly(kept)))
    tracer = provider.get_tracer("t")
    with suppress(KeyError), tracer.start_as_current_span("work") as span:
        span.set_attributes({"request_id": "ann@example.com", "http.route": "/v1/rank"})
        raise KeyError("ann@example.com")
    (told,) = kept.get_finished_spans()
    assert told.attributes == {"http.route": "/v1/rank"}
    assert told.status.status_code is StatusCode.ERROR
    assert "ann@example.com" not in told.to_json()
