"""The archive of events: Parquet files, one a day, in a folder or in object storage.

The log keeps what is to be folded, and for a while what was; the archive keeps what models learn
from, for as long as the shop wants. A day is a file, so what is added to it writes it anew: for up
to some ten million events a day.
"""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem

from features.datasets.columns import conform
from features.datasets.event_rows import EVENT_COLUMNS, event_row
from features.events.event import BehaviorEvent

_PLACE = "place.json"


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where a log was archived: a position, and when its entry was appended, unix seconds."""

    seq: int
    logged_s: float


class Archive:
    """The files under `url`: a folder, or what pyarrow takes for one, as "s3://bucket/shop"."""

    def __init__(self, url: str) -> None:
        self.lock = threading.Lock()  # around what is read of the log and written, and erasing
        self._files: FileSystem
        if "://" in url:
            self._files, self._root = FileSystem.from_uri(url)
        else:
            self._files, self._root = LocalFileSystem(), str(Path(url).resolve())

    def place(self) -> Place | None:
        """Where to go on; None when nothing was archived."""
        path = f"{self._root}/{_PLACE}"
        if self._files.get_file_info(path).type is FileType.NotFound:
            return None
        with self._files.open_input_stream(path) as file:
            return Place(**orjson.loads(file.read()))

    def add(self, events: Sequence[BehaviorEvent], place: Place) -> None:
        """Keep what was read of the log up to `place`. What is there already is not added again."""
        rows = conform(pd.DataFrame([event_row(event) for event in events]), EVENT_COLUMNS)
        day = f"{datetime.fromtimestamp(place.logged_s, UTC):%Y-%m-%d}.parquet"
        if events:
            new = pa.Table.from_pandas(rows, preserve_index=False)
            if day in self._days():
                old = self._read(day)
                known = pc.is_in(new["event_id"], value_set=old["event_id"].combine_chunks())
                new = pa.concat_tables([old, new.filter(pc.invert(known)).cast(old.schema)])
            self._write(day, new)
        told = orjson.dumps({"seq": place.seq, "logged_s": place.logged_s})
        self._put(_PLACE, told)

    def events(self) -> pd.DataFrame:
        """All of them, columns as in event_rows.py, in the order of the days."""
        tables = [self._read(day).to_pandas() for day in self._days()]
        found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        return conform(found, EVENT_COLUMNS)

    def erase(self, user_id: str, session_ids: Collection[str]) -> None:
        """Leave no row of the user or of the sessions; safe to repeat."""
        columns = {"user_id": [user_id], "session_id": sorted(session_ids)}
        with self.lock:
            for day in self._days():
                keys = self._read(day, list(columns))
                gone = pa.array([False] * keys.num_rows)
                for column, ids in columns.items():
                    values = pa.array(ids, pa.string())
                    gone = pc.or_(gone, pc.is_in(keys[column].cast(pa.string()), value_set=values))
                if pc.any(gone).as_py():
                    self._write(day, self._read(day).filter(pc.invert(gone)))

    def prune(self, before_s: float) -> None:
        """Drop the days that ended before."""
        oldest = f"{datetime.fromtimestamp(before_s, UTC):%Y-%m-%d}"
        for day in self._days():
            if day < oldest:
                self._files.delete_file(f"{self._root}/{day}")

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
