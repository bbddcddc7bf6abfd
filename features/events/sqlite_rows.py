"""The tables of the embedded event log, and its entries as rows."""

import json
from typing import Any

from features.events.event import BehaviorEvent, EventType
from features.events.log import Erasure, LogEntry

ERASURE = "erasure"

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, type TEXT NOT NULL,
  at_s REAL NOT NULL, user_id TEXT, session_id TEXT, item_id TEXT, query TEXT, ranking_id TEXT,
  position INTEGER, value REAL, dwell_ms INTEGER, logged_s REAL NOT NULL, traceparent TEXT
);
CREATE INDEX IF NOT EXISTS events_user ON events (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS events_session ON events (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS events_logged ON events (logged_s);
CREATE TABLE IF NOT EXISTS rankings (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, ranking_id TEXT NOT NULL UNIQUE,
  user_id TEXT, session_id TEXT, logged_s REAL NOT NULL, record BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS rankings_user ON rankings (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS rankings_logged ON rankings (logged_s);
CREATE TABLE IF NOT EXISTS consumers (
  consumer TEXT PRIMARY KEY, seq INTEGER NOT NULL, status BLOB
);
CREATE TABLE IF NOT EXISTS item_changes (item_id TEXT PRIMARY KEY, change INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS item_changes_change ON item_changes (change)
"""
COLUMNS = (
    "event_id, type, at_s, user_id, session_id, item_id, query, ranking_id, position, value, "
    "dwell_ms, traceparent"
)
INSERT = (
    f"INSERT INTO events ({COLUMNS}, logged_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (event_id) DO NOTHING"
)


def event_to_row(event: BehaviorEvent, now_s: float) -> tuple[Any, ...]:
    """The parameters of INSERT."""
    return (
        event.event_id,
        str(event.type),
        event.at_s,
        event.user_id,
        event.session_id,
        event.item_id,
        event.query,
        event.ranking_id,
        event.position,
        event.value,
        event.dwell_ms,
        event.traceparent,
        now_s,
    )


def row_to_entry(row: tuple[Any, ...]) -> LogEntry:
    """The entry of a row of COLUMNS."""
    event_id, kind, at_s, user_id, session_id, item_id, query, *rest = row
    if kind == ERASURE:
        return Erasure(user_id, tuple(json.loads(query)) if query else ())
    return BehaviorEvent(
        event_id, EventType(kind), at_s, user_id, session_id, item_id, query, *rest
    )
