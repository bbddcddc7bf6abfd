"""Where a word stands: in the bytes of files, and in what is packed in them."""

import gzip
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_SQLITE = b"SQLite format 3\x00"
_PARQUET = b"PAR1"
_GZIP = b"\x1f\x8b"


def standing(folders: list[Path], needles: Mapping[str, bytes]) -> dict[str, list[str]]:
    """Of each needle by name, the files of `folders` that have it; one that is not found is left
    out.

    Files are read as bytes; tables of SQLite by value and Parquet by column, with what zlib packed
    in them; gzip as what it packs.
    """
    found: dict[str, list[str]] = {}
    for folder in folders:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            there = {
                name for part in _parts(path) for name, needle in needles.items() if needle in part
            }
            for name in sorted(there):
                found.setdefault(name, []).append(str(path))
    return found


def _parts(path: Path) -> Iterator[bytes]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:  # of a process that just ended
        return
    yield raw
    if raw.startswith(_SQLITE):
        yield from _values(path)
    elif raw.startswith(_PARQUET):
        yield from _columns(path)
    elif raw.startswith(_GZIP):
        yield gzip.decompress(raw)


def _values(path: Path) -> Iterator[bytes]:
    """Each text and blob of each table, as it is and unpacked."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                for value in row:
                    if isinstance(value, str):
                        yield value.encode()
                    elif isinstance(value, bytes):
                        yield value
                        yield _unpacked(value)


def _unpacked(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return b""


def _columns(path: Path) -> Iterator[bytes]:
    """The bytes of the values, which in the file are compressed: a buffer is one text after the
    other."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for column in batch.columns:
                yield from _buffers(column)
                if pa.types.is_binary(column.type):
                    yield from (_unpacked(value) for value in column.to_pylist() if value)


def _buffers(column: pa.Array) -> Iterator[bytes]:
    if isinstance(column, pa.DictionaryArray):
        yield from _buffers(column.dictionary)
    for buffer in column.buffers():
        if buffer is not None:
            yield buffer.to_pybytes()
