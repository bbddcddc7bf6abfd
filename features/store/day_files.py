"""Parquet tables in a folder or in object storage, a file a day, and where their writer is."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem

from features.store.erasing import Gone, Keys

_PLACE = "place.json"
_ROWS = 10_000  # read at once


class DayFiles:
    """The tables under `root`; rows have a `key`, a `user_id` and a `session_id`."""

    def __init__(
        self, files: FileSystem, root: str, key: str, timed: str, at_s: Callable[[Any], float]
    ) -> None:
        """timed: a column by whose values `at_s` tells when something was, unix seconds."""
        self._files, self._root, self._key = files, root, key
        self._timed, self._at_s = timed, at_s

    def place(self) -> bytes | None:
        """What `put_place` was given last; None: nothing."""
        path = f"{self._root}/{_PLACE}"
        if self._files.get_file_info(path).type is FileType.NotFound:
            return None
        with self._files.open_input_stream(path) as file:
            found: bytes = file.read()
            return found

    def put_place(self, told: bytes) -> None:
        """Say where to go on."""
        self._put(_PLACE, told)

    def add(self, at_s: float, rows: pa.Table) -> None:
        """Add to the day of `at_s`, unix seconds, what it does not have yet by its key."""
        day = f"{_day(at_s)}.parquet"
        if day in self._days():
            old = self._read(day)
            known = pc.is_in(rows[self._key], value_set=old[self._key].combine_chunks())
            # A field that the event got since is null in what was there before.
            new = rows.filter(pc.invert(known))
            rows = pa.concat_tables([old, new], promote_options="permissive")
        self._write(day, rows)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, in the order of the days, some thousands at once."""
        for day in self._days():
            with self._files.open_input_file(f"{self._root}/{day}") as file:
                yield from pq.ParquetFile(file).iter_batches(_ROWS)

    def erase(self, which: Gone, since_s: float | None = None) -> None:
        """Leave none of these rows; safe to repeat.

        since_s: only in the days from then on, of which an `at` says more where rows have one
        """
        for day in self._days():
            if since_s is not None and day < _day(since_s):
                continue
            gone = which(self._keys(day))
            rows = self._read(day) if pc.any(gone).as_py() else None
            if rows is not None and since_s is not None and "at" in rows.column_names:
                gone = pc.and_(gone, pc.greater_equal(rows["at"], since_s))
            if rows is not None:
                self._write(day, rows.filter(pc.invert(gone)))

    def prune(self, before_s: float) -> None:
        """Drop the days that ended before."""
        for day in self._days():
            if day < _day(before_s):
                self._files.delete_file(f"{self._root}/{day}")

    def delete(self) -> None:
        """Delete all tables, and where their writer is; safe to repeat."""
        if self._files.get_file_info(self._root).type is not FileType.NotFound:
            self._files.delete_dir(self._root)

    def keys(self) -> Iterator[Keys]:
        """Whose the rows are, day by day."""
        return map(self._keys, self._days())

    def _keys(self, day: str) -> Keys:
        def times(places: pa.Array) -> Iterable[float]:
            told = self._read(day, [self._timed])[self._timed]
            return map(self._at_s, told.take(places).to_pylist())

        keys = self._read(day, ["user_id", "session_id"])
        return Keys(keys["user_id"], keys["session_id"], times)

    def _days(self) -> list[str]:
        selector = FileSelector(self._root, allow_not_found=True)
        names = (info.base_name for info in self._files.get_file_info(selector))
        return sorted(name for name in names if name.endswith(".parquet") and name[0] != ".")

    def _read(self, day: str, columns: list[str] | None = None) -> pa.Table:
        table = pq.read_table(f"{self._root}/{day}", columns=columns, filesystem=self._files)
        return table.replace_schema_metadata(None)

    def _write(self, day: str, table: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self._put(day, sink.getvalue())

    def _put(self, name: str, content: "bytes | pa.Buffer") -> None:
        """Whole or not at all: an object appears when it is complete, a file is moved there."""
        local = isinstance(self._files, LocalFileSystem)
        path = f"{self._root}/{'.' if local else ''}{name}"
        self._files.create_dir(self._root)
        with self._files.open_output_stream(path) as file:
            file.write(content)
        if local:
            self._files.move(path, f"{self._root}/{name}")


def _day(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d}"
