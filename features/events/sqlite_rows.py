"""The tables of the embedded event log, and its entries as rows.

Every statement names its columns: the order in which a file has them tells its age, nothing else.
"""

import json
import sqlite3
from collections.abc import Collection
from typing import Any

from features.events.codec import (
    EVENT_FIELDS,
    FIELD_NAMES,
    TYPE_PLACE,
    EventField,
    erasure_of,
    event_values,
)
from features.events.event import BehaviorEvent, EventType
from features.events.log import ERASURE, LogEntry
from features.events.sharing import Sharing

_SQL_TYPES: dict[type, str] = {EventType: "TEXT", str: "TEXT", int: "INTEGER", float: "REAL"}
# Of an erasure: the user, the sessions and whom they named as JSON, and since when.
_USER, _QUERY, _VALUE = (FIELD_NAMES.index(name) for name in ("user_id", "query", "value"))


def _column(field: EventField) -> str:
    unique = " UNIQUE" if field.name == "event_id" else ""
    return f"{field.name} {_SQL_TYPES[field.kind]}{' NOT NULL' * field.required}{unique}"


SCHEMA = f"""
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, {", ".join(map(_column, EVENT_FIELDS))},
  logged_s REAL NOT NULL
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
COLUMNS = ", ".join(FIELD_NAMES)
# Not ON CONFLICT: a duplicate would use up a position, which no reader ever comes to.
INSERT = (
    f"INSERT INTO events ({COLUMNS}, logged_s) "
    f"SELECT {', '.join(f'?{place}' for place in range(1, len(FIELD_NAMES) + 2))} "
    "WHERE NOT EXISTS "
    f"(SELECT 1 FROM events WHERE event_id = ?{FIELD_NAMES.index('event_id') + 1})"
)


def add_missing_columns(connection: sqlite3.Connection) -> None:
    """Give a log of an earlier version the columns of the fields that it has not got."""
    there = {row[1] for row in connection.execute("PRAGMA table_info(events)")}
    for field in EVENT_FIELDS:
        if field.name not in there:
            connection.execute(f"ALTER TABLE events ADD COLUMN {_column(field)}")


def event_to_row(event: BehaviorEvent, now_s: float) -> tuple[Any, ...]:
    """The parameters of INSERT."""
    return (*event_values(event), now_s)


def row_to_entry(row: tuple[Any, ...]) -> LogEntry:
    """The entry of a row of COLUMNS."""
    kind = row[TYPE_PLACE]
    if kind == ERASURE:
        told = json.loads(row[_QUERY] or "[]")
        told = {"sessions": told} if isinstance(told, list) else told  # of an earlier version
        return erasure_of({**told, "user_id": row[_USER], "since_s": row[_VALUE]})
    values = list(row)
    values[TYPE_PLACE] = EventType(kind)
    return BehaviorEvent(*values)


def sharing_of(connection: sqlite3.Connection, user_id: str, sessions: Collection[str]) -> Sharing:
    """Whom sessions named, and when: the user, or others."""
    named = (
        connection.execute(
            f"SELECT session_id, {time}, user_id = ? FROM {table} WHERE user_id IS NOT NULL "
            "AND session_id IN (SELECT value FROM json_each(?))",
            (user_id, json.dumps([*sessions])),
        )
        for table, time in (("events", "at_s"), ("rankings", "logged_s"))
    )
    return Sharing((session, at_s, bool(own)) for rows in named for session, at_s, own in rows)


def guests_of(
    connection: sqlite3.Connection, table: str, time: str, sessions: Collection[str], from_s: float
) -> list[tuple[int, str, float]]:
    """What sessions did without a user: positions, sessions, times from `from_s` on."""
    return connection.execute(
        f"SELECT seq, session_id, {time} FROM {table} WHERE user_id IS NULL AND {time} >= ? "
        "AND session_id IN (SELECT value FROM json_each(?))",
        (from_s, json.dumps([*sessions])),
    ).fetchall()
