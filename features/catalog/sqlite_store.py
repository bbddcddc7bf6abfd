"""The embedded catalogue, in one SQLite file: the contract of `features.catalog.store.Catalog`."""

from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection

from features.catalog.item import Item
from features.catalog.store import CatalogChanges, Edit, by_item, item_bytes, item_from
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


class SqliteCatalog:
    """`Catalog` in the file at `path`. A deleted item leaves its id, for the replicas."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _SCHEMA)

    def upsert(self, items: Sequence[Item]) -> int:
        return self._write([(item.item_id, item_bytes(item)) for item in items])

    def edit(self, edits: Sequence[tuple[str, Edit]]) -> None:
        with self._file.write() as connection:
            made = [edit(self.get(item_id)) for item_id, edit in by_item(edits).items()]
            records = [(item.item_id, item_bytes(item)) for item in made if item is not None]
            _insert(connection, records)

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

    def page(self, after: str, limit: int) -> list[Item]:
        rows = self._file.connection.execute(
            "SELECT record FROM items WHERE item_id > ? AND record IS NOT NULL "
            "ORDER BY item_id LIMIT ?",
            (after, limit),
        )
        return [item_from(record) for (record,) in rows]

    def all(self) -> list[Item]:
        return self.changed_since(0).upserts

    def __len__(self) -> int:
        count = "SELECT count(*) FROM items WHERE record IS NOT NULL"
        return int(self._file.connection.execute(count).fetchone()[0])

    def close(self) -> None:
        self._file.close()

    def _write(self, records: Sequence[tuple[str, bytes | None]]) -> int:
        with self._file.write() as connection:
            return _insert(connection, records)


def _insert(connection: Connection, records: Sequence[tuple[str, bytes | None]]) -> int:
    last = connection.execute("SELECT max(change) FROM items").fetchone()[0] or 0
    change = int(last) + (1 if records else 0)
    connection.executemany(_UPSERT, [(item_id, change, rec) for item_id, rec in records])
    return change
