"""A SQLite file that several threads and processes use at once.

Readers never wait (WAL). Writers wait for each other at most BUSY_TIMEOUT_S. A commit is on disk
when it returns (synchronous=FULL). Deleted bytes are overwritten (secure_delete).
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from features.full import StoreFullError

BUSY_TIMEOUT_S = 20.0


class SqliteFile:
    """One connection a thread to `path`; `schema` is applied when it is opened."""

    def __init__(self, path: Path, schema: str = "") -> None:
        self.path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        if schema:
            # One statement at a time inside a transaction of ours: `executescript` would commit it.
            with self.write() as connection:
                for statement in schema.split(";"):
                    connection.execute(statement)

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection; statements outside `write` see the newest commit."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self.path)
            self._local.connection = connection
            with self._lock:
                self._opened.append(connection)
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from the start: no upgrade can fail midway.

        Raises StoreFullError when the disk has no room for it.
        """
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:  # a full disk may have ended it
                connection.execute("ROLLBACK")
            if _is_full(error):
                raise StoreFullError("the disk is full") from error
            raise

    def vacuum(self) -> bool:
        """Rewrite the file without any leftover of deleted rows; writers wait meanwhile.

        The write-ahead log is emptied too; False when a reader was in the way of that.
        """
        self.connection.execute("VACUUM")
        busy, _, _ = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def close(self) -> None:
        """Close every thread's connection; the object must not be used afterwards."""
        with self._lock:
            for connection in self._opened:
                with suppress(sqlite3.ProgrammingError):
                    connection.close()
            self._opened.clear()
        self._local = threading.local()


def _is_full(error: BaseException) -> bool:
    return isinstance(error, sqlite3.Error) and error.sqlite_errorcode == sqlite3.SQLITE_FULL


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode with the pragmas that this module promises."""
    # Closed by SqliteFile.close from whichever thread; sqlite3 itself is built thread-safe.
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    return connection
