"""A log line is JSON with known fields; neither callers nor libraries put a person in it."""

import io
import json
import logging
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from pydantic import BaseModel, ValidationError

from features.telemetry.logs import FIELDS, REQUEST_ID, SafeFormatter, log_json, masked

SECRETS = ("ann@example.org", "4111 1111 1111 1111", "0123456789abcdef0123456789abcdef")


class Sink:
    """A logger of its own, written as the service writes."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(SafeFormatter("test"))
        self.logger = logging.getLogger(f"vitrine.test{id(self)}")
        self.logger.propagate = False
        self.logger.setLevel(logging.DEBUG)
        self.logger.addHandler(handler)

    def line(self) -> dict[str, Any]:
        (text,) = self._stream.getvalue().splitlines()
        found: dict[str, Any] = json.loads(text)
        assert set(found) <= set(FIELDS)
        return found

    @property
    def text(self) -> str:
        return self._stream.getvalue()


@pytest.fixture
def sink() -> Sink:
    return Sink()


def test_a_line_has_the_fields_that_it_should(sink: Sink) -> None:
    sink.logger.warning("%d items wait", 3)
    line = sink.line()
    assert (line["level"], line["component"]) == ("WARNING", "test")
    assert line["message"] == "3 items wait"
    assert line["timestamp"].endswith("+00:00")
    assert not {"trace_id", "request_id", "error"} & set(line)


def test_a_line_within_a_request_names_its_trace_and_id(sink: Sink) -> None:
    sampled = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    context = trace.SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=sampled)
    token = REQUEST_ID.set("req-1")
    with trace.use_span(trace.NonRecordingSpan(context)):
        sink.logger.error("failed")
    REQUEST_ID.reset(token)
    line = sink.line()
    assert line["trace_id"] == f"{0xABC:032x}"
    assert line["span_id"] == f"{0xDEF:016x}"
    assert line["request_id"] == "req-1"


def test_a_trace_that_nobody_keeps_is_not_named(sink: Sink) -> None:
    with trace.use_span(trace.NonRecordingSpan(trace.SpanContext(0xABC, 0xDEF, is_remote=False))):
        sink.logger.error("failed")
    assert "trace_id" not in sink.line()


def test_what_is_not_allowed_is_not_written_however_it_is_given(sink: Sink) -> None:
    sink.logger.info("ok", extra={"user_id": "ann", "body": "secret", "level": "ann"})
    assert "ann" not in sink.text
    assert "secret" not in sink.text
    sink = Sink()
    sink.logger.info({"user_id": "plain", "message": "plain"})  # a dict is no way round
    assert set(sink.line()) <= set(FIELDS)


class Body(BaseModel):
    user_id: int


def test_an_error_is_told_by_kind_and_place_and_never_by_its_text(sink: Sink) -> None:
    try:
        try:
            Body.model_validate_json('{"user_id": "planted-person"}')
        except ValidationError as cause:
            raise RuntimeError("about planted-person") from cause
    except RuntimeError:
        sink.logger.exception("request failed")
    assert "planted-person" not in sink.text
    error = sink.line()["error"]
    assert error[0] == "builtins.RuntimeError"
    assert any("ValidationError" in part for part in error)
    assert any("test_logs.py" in part for part in error)


def test_an_error_of_the_system_tells_what_the_operator_needs(sink: Sink) -> None:
    try:
        Path("/nowhere/ann@example.org").read_bytes()
    except OSError:
        sink.logger.exception("no")
    try:
        sqlite3.connect(":memory:").execute("SELECT * FROM missing")
    except sqlite3.Error:
        other = Sink()
        other.logger.exception("no")
    assert sink.line()["error"][0] == "builtins.FileNotFoundError: No such file or directory"
    assert "no such table: missing" in other.line()["error"][0]
    assert "ann@" not in sink.text


@pytest.mark.parametrize("secret", SECRETS)
def test_what_looks_personal_is_masked_in_a_message(sink: Sink, secret: str) -> None:
    sink.logger.warning("client said %s, twice", secret)
    assert secret not in sink.text
    assert sink.line()["message"].endswith(", twice")


def test_a_token_is_masked_with_or_without_its_scheme() -> None:
    assert masked("Authorization: Bearer s3cret!") == "Authorization: Bearer [token]"
    assert masked("got eyJhbGciOi.eyJzdWIi.c2ln") == "got [token]"


def test_ordinary_messages_are_left_alone() -> None:
    for text in ("refresh failed; trying again", "12 items wait for the encoder: deadline",
                 "events.db at 2026-11-24 10:20:30", "ranker: answers again"):  # fmt: skip
        assert masked(text) == text


@pytest.fixture
def root() -> Iterator[None]:
    """The root logger as it was."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers[:] = handlers
    logger.setLevel(level)
    for name in ("vitrine", "features"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.usefixtures("root")
def test_a_process_logs_to_its_file_and_libraries_from_warning_on(tmp_path: Path) -> None:
    log_json("part", tmp_path / "logs")
    logging.getLogger("vitrine.x").info("ours")
    logging.getLogger("redis").info("theirs")
    logging.getLogger("redis").warning("theirs, worse")
    lines = [json.loads(line) for line in (tmp_path / "logs" / "part.log").read_text().splitlines()]
    assert [line["message"] for line in lines] == ["part started", "ours", "theirs, worse"]


@pytest.mark.usefixtures("root")
def test_without_a_folder_it_is_the_true_standard_error() -> None:
    log_json("part")
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.__stderr__
