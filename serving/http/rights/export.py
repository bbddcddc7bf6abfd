"""A shopper's data as a stream of lines: JSON or CSV, each with the cursor behind it."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson

from features.events.codec import event_record
from features.events.event import BehaviorEvent
from features.events.log import RankingRecord
from serving.errors import InvalidRequestError
from serving.shops.rights.export import ReadLog, events_of, rankings_of, sharing_of

_EVENTS, _RANKINGS = "events", "rankings"
_OURS = ("user_id", "at_s", "traceparent", "held_seq")  # of an event, what is told otherwise or not
# Of CSV; all else stands in `more`, as JSON.
COLUMNS = (
    "kind", "cursor", "at", "type", "item_id", "query", "ranking_id", "position", "value",
    "session", "experiment", "variant", "more",
)  # fmt: skip


class Form(StrEnum):
    """How lines are written."""

    JSON = "jsonl"
    CSV = "csv"

    @property
    def media(self) -> str:
        """The content type."""
        return "text/csv; charset=utf-8" if self is Form.CSV else "application/x-ndjson"


def begun(cursor: str | None) -> tuple[str, int]:
    """Where a cursor stands: a part and the position in it. Raises InvalidRequestError."""
    part, _, seq = (cursor or f"{_EVENTS}:0").partition(":")
    if part not in (_EVENTS, _RANKINGS) or not (seq.isascii() and seq.isdigit() and len(seq) < 19):
        raise InvalidRequestError("cursor: is of no line of an export")
    return part, int(seq)


def pages(
    log: ReadLog, user_id: str, part: str, seq: int, archived: bool = False
) -> Iterator[list[dict[str, Any]]]:
    """The lines of the log from a cursor on, as JSON values; the last one says that it is all, and
    what else is kept of the shopper.

    Blocks: a page at a time. user_id: a pseudonym; archived: there is an archive beside the log
    """
    sharing = sharing_of(log, user_id)
    if part == _EVENTS:
        for events in events_of(log, user_id, sharing, seq):
            yield [_event(at, event) for at, event in events]
        seq = 0
    for rankings in rankings_of(log, user_id, sharing, seq):
        yield [line for at, ranking in rankings for line in _ranking(at, ranking)]
    yield [{"kind": "end", "left_out": ["archive"] if archived else []}]


def written(lines: list[dict[str, Any]], form: Form) -> bytes:
    """Lines as they are sent."""
    if form is Form.JSON:
        return b"".join(orjson.dumps(line) + b"\n" for line in lines)
    out = io.StringIO()
    writer = csv.writer(out)
    for line in lines:
        more = {name: value for name, value in line.items() if name not in COLUMNS}
        known = [_cell(line.get(name)) for name in COLUMNS[:-1]]
        writer.writerow([*known, orjson.dumps(more).decode() if more else ""])
    return out.getvalue().encode()


def head(form: Form) -> bytes:
    """What stands before all lines."""
    return (",".join(COLUMNS) + "\r\n").encode() if form is Form.CSV else b""


def _cell(value: Any) -> str:
    # A spreadsheet takes such a text for a formula, and what a shopper typed may be one.
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return "" if value is None else str(value)


def _event(seq: int, event: BehaviorEvent) -> dict[str, Any]:
    told = {
        name: value
        for name, value in event_record(event).items()
        if value is not None and name not in _OURS
    }
    session = told.pop("session_id", None)
    known = {"session": session} if session else {}
    return {
        "kind": "event", "cursor": f"{_EVENTS}:{seq}", "at": _time(event.at_s), **told, **known,
    }  # fmt: skip


def _ranking(seq: int, ranking: RankingRecord) -> Iterator[dict[str, Any]]:
    place = {"cursor": f"{_RANKINGS}:{seq}", "at": _time(ranking.at_s)}
    named = {"ranking_id": ranking.ranking_id}
    # The arms first: who goes on behind the ranking has had them.
    for exposure in ranking.exposures:
        yield {
            "kind": "assignment", "cursor": f"{_RANKINGS}:{seq - 1}", "at": place["at"], **named,
            "experiment": exposure.experiment, "variant": exposure.variant,
        }  # fmt: skip
    yield {
        "kind": "ranking", **place, **named, "query": ranking.query, "session": ranking.session_id,
        "route": ranking.route, "model_version": ranking.model_version,
        "placement": ranking.placement, "items": list(ranking.item_ids),
    }  # fmt: skip


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()
