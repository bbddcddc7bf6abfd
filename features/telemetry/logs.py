"""Logs of our own processes: one JSON object a line, and nothing in it that may tell of a person.

Three things hold that by construction. A line has the fields of `FIELDS` and no others, whatever
`extra` a caller gives. An exception is logged as its types and places, without its text: the texts
of pydantic, redis and grpc quote what they were given. And what looks like an address, a token, a
long hexadecimal or a card number is masked in what is left, the last line of defence.
"""

import logging
import logging.handlers
import re
import sqlite3
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from opentelemetry import trace
from pythonjsonlogger.orjson import OrjsonFormatter

FIELDS = (
    "timestamp", "level", "logger", "component", "message", "request_id", "trace_id", "span_id",
    "error",
)  # fmt: skip
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)

_MAX_BYTES = 10 * 1024 * 1024
_MAX_TEXT = 4_000  # characters of a message
# Errors whose texts come from the system or from SQLite itself, and hold no values of ours.
_TELLING = (OSError, sqlite3.Error)
_MASKS = (
    (re.compile(r"[^\s@,;:<>\"'=(]{1,64}@[^\s@,;:<>\"')]{1,255}"), "[address]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), r"\1 [token]"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), "[token]"),
    (re.compile(r"(?i)\b[0-9a-f]{24,}\b"), "[hex]"),
    (re.compile(r"\b\d(?:[ -]?\d){12,18}\b"), "[number]"),
)  # fmt: skip


def masked(text: str) -> str:
    """`text` without what looks like an e-mail address, a token, a secret or a card number."""
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text


class SafeFormatter(OrjsonFormatter):
    """A record as a line of JSON with the fields of FIELDS; no field is there without a value."""

    def __init__(self, component: str) -> None:
        """component: the part that logs, such as `ingress`."""
        super().__init__(["message"], timestamp=True)
        self._component = component

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Of everything that was gathered, the allowed fields."""
        return {name: log_data[name] for name in FIELDS if log_data.get(name) is not None}

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """All fields, each from its own source: neither `extra` nor a dict message is read."""
        super().add_fields(log_data, record, {})  # adds the timestamp
        span = trace.get_current_span().get_span_context()
        traced = span.is_valid and span.trace_flags.sampled  # an unsampled trace is kept nowhere
        error = record.exc_info[1] if record.exc_info else None
        log_data |= {
            "level": record.levelname,
            "logger": record.name,
            "component": self._component,
            "message": masked(record.getMessage()[:_MAX_TEXT]),
            "request_id": REQUEST_ID.get(),
            "trace_id": f"{span.trace_id:032x}" if traced else None,
            "span_id": f"{span.span_id:016x}" if traced else None,
            "error": _error_lines(error) if error else None,
        }

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's own name
        """Nothing: the error is told by `add_fields`, without its text."""
        return ""


def log_json(component: str, folder: Path | None = None, level: str = "INFO") -> None:
    """From now on this process logs JSON, to `<folder>/<component>.log` or to standard error.

    The file is turned over at 10 MiB and one older one is kept. Ray Serve takes over `sys.stderr`
    in its replicas, so the true one is used. Libraries are heard from WARNING on.
    """
    # A line that cannot be written is lost. Python would report the failure to standard error,
    # which Ray Serve logs again: on a full disk that has no end, and the request fails with it.
    logging.raiseExceptions = False
    handler: logging.Handler = logging.StreamHandler(sys.__stderr__)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            folder / f"{component}.log", maxBytes=_MAX_BYTES, backupCount=1, delay=True
        )
    handler.setFormatter(SafeFormatter(component))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in ("vitrine", "features"):
        logging.getLogger(name).setLevel(level)
    logging.getLogger("vitrine.logs").info("%s started", component)


def _error_lines(error: BaseException) -> list[str]:
    """The error and its causes, outermost first: type, text if it is harmless, where it was."""
    return [line for cause in _chain(error) for line in _lines(cause)]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _lines(error: BaseException) -> Iterator[str]:
    text = ""
    if isinstance(error, OSError):
        text = f": {error.strerror}" if error.strerror else ""
    elif isinstance(error, _TELLING):
        text = f": {masked(str(error))}"
    yield f"{type(error).__module__}.{type(error).__qualname__}{text}"
    for frame in traceback.extract_tb(error.__traceback__)[-12:]:
        yield f"  {Path(frame.filename).name}:{frame.lineno} {frame.name}"
