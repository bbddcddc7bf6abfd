"""The catalogue on disk: the ingress writes it, every replica follows it."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, Protocol

import orjson

from features.catalog.table import Item
from features.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
  item_id TEXT PRIMARY KEY, change INTEGER NOT NULL, record BLOB
);
CREATE INDEX IF NOT EXISTS items_change ON items (change)
"""
_UPSERT = (
    "INSERT INTO items VALUES (?, ?, ?) ON CONFLICT (item_id) DO UPDATE SET "
    "change = excluded.change, record = excluded.record"
)


class CatalogChanges(NamedTuple):
    """What happened behind a change number; ask again with `change` to go on from there."""

    change: int
    upserts: list[Item]
    deletions: list[str]


class Catalog(Protocol):
    """Items by id, with a log of changes that replicas follow."""

    def upsert(self, items: Sequence[Item]) -> int:
        """Add or replace items, durably; returns the change number they got."""
        ...

    def delete(self, item_id: str) -> bool:
        """Remove an item; False when it was not there."""
        ...

    def get(self, item_id: str) -> Item | None:
        """The item, None when unknown or deleted."""
        ...

    def changed_since(self, change: int) -> CatalogChanges:
        """Every item added, replaced or deleted behind `change`, in its newest form."""
        ...

    def all(self) -> list[Item]:
        """All items, oldest change first."""
        ...

    def __len__(self) -> int: ...

    def close(self) -> None:
        """Give back files and connections."""
        ...


class SqliteCatalog:
    """`Catalog` in the file at `path`. A deleted item leaves its id, for the replicas."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _SCHEMA)

    def upsert(self, items: Sequence[Item]) -> int:
        return self._write([(item.item_id, item_bytes(item)) for item in items])

    def delete(self, item_id: str) -> bool:
        row = self._file.connection.execute(
            "SELECT record IS NOT NULL FROM items WHERE item_id = ?", (item_id,)
        ).fetchone()
        if row is None or not row[0]:
            return False
        self._write([(item_id, None)])
        return True

    def get(self, item_id: str) -> Item | None:
        row = self._file.connection.execute(
            "SELECT record FROM items WHERE item_id = ?", (item_id,)
        ).fetchone()
        return item_from(row[0]) if row and row[0] is not None else None

    def changed_since(self, change: int) -> CatalogChanges:
        rows = self._file.connection.execute(
            "SELECT item_id, change, record FROM items WHERE change > ? ORDER BY change, rowid",
            (change,),
        ).fetchall()
        return CatalogChanges(
            rows[-1][1] if rows else change,
            [item_from(record) for _, _, record in rows if record is not None],
            [item_id for item_id, _, record in rows if record is None],
        )

    def all(self) -> list[Item]:
        return self.changed_since(0).upserts

    def __len__(self) -> int:
        count = "SELECT count(*) FROM items WHERE record IS NOT NULL"
        return int(self._file.connection.execute(count).fetchone()[0])

    def close(self) -> None:
        self._file.close()

    def _write(self, records: Sequence[tuple[str, bytes | None]]) -> int:
        with self._file.write() as connection:
            last = connection.execute("SELECT max(change) FROM items").fetchone()[0] or 0
            change = int(last) + (1 if records else 0)
            connection.executemany(_UPSERT, [(item_id, change, rec) for item_id, rec in records])
        return change


def item_bytes(item: Item) -> bytes:
    """An item as JSON."""
    return orjson.dumps(asdict(item))  # NaN becomes null


def item_from(record: bytes) -> Item:
    """The item that `item_bytes` was given."""
    values = orjson.loads(record)
    for name in ("price", "created_s"):
        if values[name] is None:
            values[name] = math.nan
    return Item(**values)
