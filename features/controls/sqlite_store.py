"""The embedded controls, in one SQLite file: the contract of `features.controls.store.Controls`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from features.controls.store import KEPT_MINUTES, document_bytes
from features.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
  kind TEXT NOT NULL, key TEXT NOT NULL, document BLOB NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tallies (
  name TEXT NOT NULL, minute INTEGER NOT NULL, field TEXT NOT NULL, amount REAL NOT NULL,
  PRIMARY KEY (name, minute, field)
) WITHOUT ROWID
"""

_PUT = "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)"


class SqliteControls:
    """`Controls` in the file at `path`."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _SCHEMA)

    def put(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        with self._file.write() as connection:
            connection.execute(_PUT, (kind, key, document_bytes(document)))

    def put_all(self, kind: str, documents: Mapping[str, Mapping[str, Any]]) -> None:
        with self._file.write() as connection:
            connection.executemany(
                _PUT, [(kind, key, document_bytes(each)) for key, each in documents.items()]
            )

    def swap(
        self, kind: str, key: str, before: Mapping[str, Any] | None, document: Mapping[str, Any]
    ) -> bool:
        with self._file.write() as connection:
            row = connection.execute(
                "SELECT document FROM documents WHERE kind = ? AND key = ?", (kind, key)
            ).fetchone()
            found = None if row is None else row[0]
            if found != (None if before is None else document_bytes(before)):
                return False
            connection.execute(_PUT, (kind, key, document_bytes(document)))
            return True

    def delete(self, kind: str, key: str) -> None:
        with self._file.write() as connection:
            connection.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        rows = self._file.connection.execute(
            "SELECT key, document FROM documents WHERE kind = ? ORDER BY key", (kind,)
        )
        return {key: orjson.loads(document) for key, document in rows}

    def add(
        self, name: str, minute: int, counts: Mapping[str, float], kept: int = KEPT_MINUTES
    ) -> None:
        self.add_all(name, {minute: counts}, kept)

    def add_all(
        self, name: str, counts: Mapping[int, Mapping[str, float]], kept: int = KEPT_MINUTES
    ) -> None:
        if not counts:
            return
        with self._file.write() as connection:
            connection.executemany(
                "INSERT INTO tallies VALUES (?, ?, ?, ?) ON CONFLICT (name, minute, field) "
                "DO UPDATE SET amount = amount + excluded.amount",
                [
                    (name, minute, field, amount)
                    for minute, of_minute in counts.items()
                    for field, amount in of_minute.items()
                ],
            )
            connection.execute(
                "DELETE FROM tallies WHERE name = ? AND minute <= ?", (name, max(counts) - kept)
            )

    def read(self, name: str, since_minute: int) -> dict[int, dict[str, float]]:
        rows = self._file.connection.execute(
            "SELECT minute, field, amount FROM tallies WHERE name = ? AND minute >= ? "
            "ORDER BY minute",
            (name, since_minute),
        )
        found: dict[int, dict[str, float]] = {}
        for minute, field, amount in rows:
            found.setdefault(minute, {})[field] = amount
        return found

    def compact(self) -> bool:
        return self._file.vacuum()

    def close(self) -> None:
        self._file.close()
