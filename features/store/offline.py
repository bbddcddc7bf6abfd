"""The offline store: snapshots of feature rows in folders of Parquet files, one folder a view.

A snapshot carries the time of the newest event that it has seen, so a point-in-time join can only
find what was known by then. Files are written beside and moved into place: a reader never sees half
of one.
"""

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.behavior.state import BehaviorState
from features.behavior.state_rows import StateRow
from features.definitions import COLUMNS, CREATED, JOIN_KEY, SESSION_VIEW, TIMESTAMP, USER_VIEW

_TIME = pa.timestamp("us", "UTC")
_WHOLE = "[!.]*.parquet"  # not those that a process, maybe another one, is still writing
_EMPTY = "empty.parquet"  # Feast cannot read a folder without a file
MAX_FILES = 64
MAX_MERGED_BYTES = 128 * 2**20


def schema(view: str) -> pa.Schema:
    """The Arrow schema of a view's snapshots."""
    return pa.schema(
        [
            (JOIN_KEY[view], pa.string()),
            *((name, kind.arrow_type) for name, kind in COLUMNS[view].items()),
            (TIMESTAMP, _TIME),
            (CREATED, _TIME),
        ]
    )


def snapshot_table(
    view: str, keys: Collection[str], columns: Mapping[str, Any], created_s: float
) -> pa.Table:
    """Rows of `view` as an Arrow table; `last_s` is each row's event timestamp."""
    at_us = [int(last_s * 1e6) for last_s in columns["last_s"]]
    return pa.table(
        {
            JOIN_KEY[view]: list(keys),
            **{name: columns[name] for name in COLUMNS[view]},
            TIMESTAMP: pa.array(at_us, pa.int64()).cast(_TIME),
            CREATED: pa.array([int(created_s * 1e6)] * len(at_us), pa.int64()).cast(_TIME),
        },
        schema=schema(view),
    )


class OfflineStore:
    """The snapshots under `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self) -> None:
        """Make every view's folder readable by Feast, also before the first snapshot."""
        for view in COLUMNS:
            folder = self._folder / view
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / _EMPTY).exists():
                _write(schema(view).empty_table(), folder / _EMPTY)

    def conform(self) -> None:
        """Give the files of an earlier version the columns that they lack, without content.

        For the one process that writes: Feast reads what the first file of a folder has.
        """
        for view in COLUMNS:
            wanted = schema(view)
            for path in (self._folder / view).glob(_WHOLE):
                if pq.read_schema(path).names != wanted.names:
                    _write(_conformed(pq.read_table(path), wanted), path)

    def append(self, view: str, table: pa.Table) -> None:
        """Add a table made by `snapshot_table`."""
        folder = self._folder / view
        folder.mkdir(parents=True, exist_ok=True)
        _write(table, folder / _new_name())
        if len(self._files(view)) > MAX_FILES:
            self.compact(view)

    @contextmanager
    def writer(self, view: str) -> Iterator[Callable[[pa.Table], None]]:
        """A function that takes table after table into one new file, which appears at the end."""
        folder = self._folder / view
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{uuid.uuid4().hex}.parquet"
        written = 0

        def write(table: pa.Table) -> None:
            nonlocal written
            written += table.num_rows
            file.write_table(table)

        with pq.ParquetWriter(part, schema(view), compression="zstd") as file:
            yield write
        if written:
            part.replace(folder / _new_name())
        else:
            part.unlink()

    def compact(self, view: str) -> None:
        """Merge a view's small files into one."""
        files = [path for path in self._files(view) if path.stat().st_size < MAX_MERGED_BYTES]
        tables = [pq.read_table(path) for path in files]
        if tables:
            # A reader in between finds rows twice, which a point-in-time join does not mind.
            _write(pa.concat_tables(tables), files[-1])
            for path in files[:-1]:
                path.unlink()

    def erase(
        self, user_id: str, session_ids: Collection[str], since_s: float | None = None
    ) -> None:
        """Rewrite every file that holds a row of the user or of one of the sessions.

        since_s: only rows that have seen events of this time or later
        """
        since = None if since_s is None else (TIMESTAMP, _scalar(since_s))
        for view, ids in ((USER_VIEW, {user_id}), (SESSION_VIEW, set(session_ids))):
            for path in self._files(view):
                erase_rows(path, JOIN_KEY[view], ids, since)

    def user_before(self, user_id: str, at_s: float) -> BehaviorState | None:
        """The newest state of a user that has seen nothing of `at_s` and later; None: no such."""
        wanted = (pc.field(JOIN_KEY[USER_VIEW]) == user_id) & (pc.field(TIMESTAMP) < _scalar(at_s))
        tables = [pq.read_table(path, filters=wanted) for path in self._files(USER_VIEW)]
        rows = [row for table in tables for row in table.to_pylist()]
        if not rows:
            return None
        newest = max(rows, key=lambda row: (row["applied_seq"], row[TIMESTAMP], row[CREATED]))
        return StateRow(newest).state()

    def prune(self, before_s: float) -> None:
        """Drop snapshots that were written before, however old the events are that they show."""
        before = _scalar(before_s)
        for view in COLUMNS:
            for path in self._files(view):
                oldest = pc.min(pq.read_table(path, columns=[CREATED])[CREATED])
                if oldest.is_valid and oldest.as_py() < before.as_py():
                    table = pq.read_table(path)
                    _replace(table.filter(pc.greater_equal(table[CREATED], before)), path)

    def _files(self, view: str) -> list[Path]:
        files = (self._folder / view).glob(_WHOLE)
        return sorted(path for path in files if path.name != _EMPTY)


def erase_rows(
    path: Path, column: str, ids: Collection[str], since: tuple[str, pa.Scalar] | None = None
) -> bool:
    """Rewrite a Parquet file without the rows whose `column` is in `ids`; True if it had any.

    since: a column and its least value of such rows; None: all of them
    """
    values = pa.array(sorted(ids), pa.string())
    keys = pq.read_table(path, columns=[column])[column].combine_chunks().cast(pa.string())
    to_erase = pc.is_in(keys, value_set=values)
    if since is not None:
        name, least = since
        times = pq.read_table(path, columns=[name])[name].combine_chunks()
        to_erase = pc.and_(to_erase, pc.greater_equal(times, least))
    return drop_rows(path, to_erase)


def drop_rows(path: Path, gone: pa.Array) -> bool:
    """Rewrite a Parquet file without the rows of which `gone` is true; True if there was any."""
    if not pc.any(gone).as_py():
        return False
    _replace(pq.read_table(path).filter(pc.invert(gone)), path)
    return True


def _scalar(at_s: float) -> pa.Scalar:
    return pa.scalar(int(at_s * 1e6), pa.int64()).cast(_TIME)


def _conformed(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    for field in wanted:
        if field.name not in table.column_names:
            column = pa.array([_empty(field.type)] * table.num_rows, field.type)
            table = table.append_column(field, column)
    return table.select(wanted.names)


def _empty(kind: pa.DataType) -> object:
    if pa.types.is_binary(kind):
        return None
    return [] if pa.types.is_list(kind) else "" if kind == pa.string() else 0


def _new_name() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}.parquet"


def _replace(table: pa.Table, path: Path) -> None:
    if table.num_rows:
        _write(table, path)
    else:
        path.unlink()


def _write(table: pa.Table, path: Path) -> None:
    part = path.with_name(f".{path.name}")  # Parquet readers skip hidden files
    pq.write_table(table, part, compression="zstd")
    part.replace(path)
