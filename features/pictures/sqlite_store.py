"""The embedded pictures, in one SQLite file: the contract of `features.pictures.store.Rows`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from features.pictures.store import (
    NOT_READ,
    Change,
    PictureState,
    Reading,
    Row,
    RowChanges,
    keeps_canvas,
    read_due_s,
)
from features.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pictures (
  item_id TEXT PRIMARY KEY, origin TEXT NOT NULL, state TEXT NOT NULL, revision INTEGER NOT NULL,
  problem TEXT NOT NULL, tries INTEGER NOT NULL, due_s REAL NOT NULL, encoder TEXT NOT NULL,
  vector BLOB NOT NULL, change INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS pictures_change ON pictures (change);
CREATE INDEX IF NOT EXISTS pictures_due ON pictures (state, due_s);
CREATE TABLE IF NOT EXISTS canvases (item_id TEXT PRIMARY KEY, canvas BLOB NOT NULL)
"""
# Files of before have no such columns.
_ADDED = {"reading": "TEXT NOT NULL DEFAULT ''", "read_due_s": "REAL NOT NULL DEFAULT 0"}
_INDEX = "CREATE INDEX IF NOT EXISTS pictures_read ON pictures (read_due_s) WHERE read_due_s > 0"
_COLUMNS = "item_id, origin, state, revision, problem, tries, due_s, encoder, vector, reading"
_AT_ONCE = 500  # names of one statement


class SqlitePictures:
    """`Rows` in the file at `path`."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _SCHEMA)
        with self._file.write() as connection:
            there = {row[1] for row in connection.execute("PRAGMA table_info(pictures)")}
            for name in _ADDED.keys() - there:
                connection.execute(f"ALTER TABLE pictures ADD COLUMN {name} {_ADDED[name]}")
            connection.execute(_INDEX)

    def get(self, item_ids: Sequence[str]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for start in range(0, len(item_ids), _AT_ONCE):
            part = item_ids[start : start + _AT_ONCE]
            rows = self._file.connection.execute(
                f"SELECT {_COLUMNS} FROM pictures WHERE item_id IN ({_marks(part)})", part
            )
            found |= {row[0]: _row(row) for row in rows}
        return found

    def replace(self, changes: Sequence[Change]) -> list[bool]:
        if not changes:
            return []
        with self._file.write() as connection:
            last = connection.execute("SELECT max(change) FROM pictures").fetchone()[0]
            return [_replaced(connection, change, (last or 0) + 1) for change in changes]

    def canvas(self, item_id: str) -> bytes | None:
        row = self._file.connection.execute(
            "SELECT canvas FROM canvases WHERE item_id = ?", (item_id,)
        ).fetchone()
        found: bytes | None = row and row[0]
        return found

    def due(self, now_s: float, limit: int) -> list[Row]:
        rows = self._file.connection.execute(
            f"SELECT {_COLUMNS} FROM pictures WHERE state = ? AND due_s <= ? "
            "ORDER BY due_s, change, item_id LIMIT ?",
            (PictureState.WAITING, now_s, limit),
        )
        return [_row(row) for row in rows]

    def due_readings(self, now_s: float, limit: int) -> list[Row]:
        rows = self._file.connection.execute(
            f"SELECT {_COLUMNS} FROM pictures WHERE read_due_s > 0 AND read_due_s <= ? "
            "ORDER BY read_due_s, change, item_id LIMIT ?",
            (now_s, limit),
        )
        return [_row(row) for row in rows]

    def n_unread(self) -> int:
        sql = "SELECT count(*) FROM pictures WHERE read_due_s > 0"
        n_unread: int = self._file.connection.execute(sql).fetchone()[0]
        return n_unread

    def ids(self, state: PictureState) -> list[str]:
        rows = self._file.connection.execute(
            "SELECT item_id FROM pictures WHERE state = ? ORDER BY item_id", (state,)
        )
        return [item_id for (item_id,) in rows]

    def changed_since(self, change: int, limit: int) -> RowChanges:
        connection = self._file.connection
        last = connection.execute(
            "SELECT change FROM pictures WHERE change > ? ORDER BY change LIMIT 1 OFFSET ?",
            (change, limit - 1),
        ).fetchone()
        until = last[0] if last else 2**62
        rows = connection.execute(
            f"SELECT {_COLUMNS}, change FROM pictures WHERE change > ? AND change <= ? "
            "ORDER BY change, item_id",
            (change, until),
        ).fetchall()
        return RowChanges(rows[-1][-1] if rows else change, [_row(row[:-1]) for row in rows])

    def counts(self) -> Mapping[PictureState, int]:
        rows = self._file.connection.execute("SELECT state, count(*) FROM pictures GROUP BY state")
        return {PictureState(state): count for state, count in rows}

    def close(self) -> None:
        self._file.close()


def _replaced(connection: Connection, change: Change, number: int) -> bool:
    row, was = change.row, change.was
    found = connection.execute(
        "SELECT revision FROM pictures WHERE item_id = ?", (row.item_id,)
    ).fetchone()
    if (found and found[0]) != (was and was.revision):
        return False
    connection.execute(
        f"INSERT OR REPLACE INTO pictures ({_COLUMNS}, read_due_s, change) "
        "VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            row.item_id, row.origin, row.state, was.revision + 1 if was else 1, row.problem,
            row.tries, row.due_s, row.encoder, row.vector,
            "" if row.reading == NOT_READ else json.dumps(astuple(row.reading)), read_due_s(row),
            number,
        ),
    )  # fmt: skip
    if not keeps_canvas(row):
        connection.execute("DELETE FROM canvases WHERE item_id = ?", (row.item_id,))
    elif change.canvas is not None:
        connection.execute(
            "INSERT OR REPLACE INTO canvases VALUES (?, ?)", (row.item_id, change.canvas)
        )
    return True


def _row(values: tuple[Any, ...]) -> Row:
    item_id, origin, state, *others, reading = values
    read = Reading(*json.loads(reading)) if reading else NOT_READ
    return Row(item_id, origin, PictureState(state), *[*others, read])


def _marks(values: Sequence[str]) -> str:
    return ",".join("?" * len(values))
