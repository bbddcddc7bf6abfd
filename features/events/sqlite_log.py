"""The embedded event log: one SQLite file, several ingress processes append, ingest reads."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from features.events.event import BehaviorEvent
from features.events.log import (
    ERASURE,
    AppendResult,
    ItemChanges,
    LogEntry,
    RankingRecord,
    RankingRoute,
    routes_of,
    wait_for,
)
from features.events.ranking_codec import pack, unpack
from features.events.sqlite_rows import (
    COLUMNS,
    INSERT,
    SCHEMA,
    add_missing_columns,
    event_to_row,
    guests_of,
    row_to_entry,
    sharing_of,
)
from features.sqlite_file import SqliteFile


class _Batch:
    """One caller's events on their way into a shared commit."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self.rows = rows
        self.result: AppendResult | None = None
        self.error: BaseException | None = None


class SqliteEventLog:
    """`EventLog` in the file at `path`.

    Threads share commits: whoever holds the writer's place takes along what the others have
    waiting, so the disk is synced once for all. Processes take turns on SQLite's own lock.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._file = SqliteFile(path, SCHEMA)
        with self._file.write() as connection:
            add_missing_columns(connection)
        self._clock = clock
        self._waiting: list[_Batch] = []
        self._waiting_lock = threading.Lock()
        self._writer = threading.Lock()

    def append(self, events: Sequence[BehaviorEvent]) -> AppendResult:
        now_s = self._clock()
        batch = _Batch([event_to_row(event, now_s) for event in events])
        with self._waiting_lock:
            self._waiting.append(batch)
        with self._writer:
            if batch.result is None and batch.error is None:
                with self._waiting_lock:
                    together, self._waiting = self._waiting, []
                self._commit_batches(together)
        if batch.error is not None:
            raise batch.error
        assert batch.result is not None
        return batch.result

    def _commit_batches(self, batches: list[_Batch]) -> None:
        results = []
        try:
            with self._file.write() as connection:
                for batch in batches:
                    before = connection.total_changes
                    connection.executemany(INSERT, batch.rows)
                    accepted = connection.total_changes - before
                    results.append(AppendResult(accepted, len(batch.rows) - accepted))
        except BaseException as error:
            for batch in batches:
                batch.error = error
            return
        for batch, result in zip(batches, results, strict=True):
            batch.result = result

    def read(self, after_seq: int, limit: int) -> list[tuple[int, LogEntry]]:
        rows = self._file.connection.execute(
            f"SELECT seq, {COLUMNS} FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
            (after_seq, limit),
        )
        return [(row[0], row_to_entry(row[1:])) for row in rows]

    def last_seq(self) -> int:
        row = self._file.connection.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
        ).fetchone()
        return int(row[0]) if row else 0

    def logged_s(self, seq: int) -> float | None:
        row = self._file.connection.execute(
            "SELECT logged_s FROM events WHERE seq = ?", (seq,)
        ).fetchone()
        return float(row[0]) if row else None

    def wait(self, after_seq: int, timeout_s: float) -> bool:
        query = "SELECT 1 FROM events WHERE seq > ? LIMIT 1"
        return wait_for(
            lambda: self._file.connection.execute(query, (after_seq,)).fetchone() is not None,
            timeout_s,
        )

    def offset(self, consumer: str) -> int:
        row = self._file.connection.execute(
            "SELECT seq FROM consumers WHERE consumer = ?", (consumer,)
        ).fetchone()
        return int(row[0]) if row else 0

    def commit(
        self,
        consumer: str,
        seq: int,
        changed_item_ids: Sequence[str] = (),
        status: bytes | None = None,
    ) -> None:
        with self._file.write() as connection:
            connection.execute(
                "INSERT INTO consumers VALUES (?, ?, ?) ON CONFLICT (consumer) DO UPDATE SET "
                "seq = excluded.seq, status = coalesce(excluded.status, status)",
                (consumer, seq, status),
            )
            if changed_item_ids:
                last = connection.execute("SELECT max(change) FROM item_changes").fetchone()[0] or 0
                connection.executemany(
                    "INSERT INTO item_changes VALUES (?, ?) "
                    "ON CONFLICT (item_id) DO UPDATE SET change = excluded.change",
                    [(item_id, last + 1) for item_id in changed_item_ids],
                )

    def changed_items_since(self, change: int, limit: int = 10_000) -> ItemChanges:
        rows = self._file.connection.execute(
            "SELECT item_id, change FROM item_changes WHERE change > ? AND change <= coalesce(("
            "SELECT change FROM item_changes WHERE change > ? ORDER BY change LIMIT 1 OFFSET ?"
            "), 9223372036854775807) ORDER BY change, item_id",
            (change, change, limit - 1),
        ).fetchall()
        return ItemChanges(rows[-1][1] if rows else change, [row[0] for row in rows])

    def status(self, consumer: str) -> bytes | None:
        row = self._file.connection.execute(
            "SELECT status FROM consumers WHERE consumer = ?", (consumer,)
        ).fetchone()
        return row[0] if row else None

    def erase_user(self, user_id: str, since_s: float | None = None) -> int:
        from_s = 0.0 if since_s is None else since_s
        with self._file.write() as connection:
            sessions = [
                row[0]
                for row in connection.execute(
                    "SELECT session_id FROM events WHERE user_id = ? AND session_id IS NOT NULL "
                    "AND at_s >= ? UNION SELECT session_id FROM rankings WHERE user_id = ? "
                    "AND session_id IS NOT NULL AND logged_s >= ?",
                    (user_id, from_s, user_id, from_s),
                )
            ]
            sharing = sharing_of(connection, user_id, sessions)
            # But for an earlier erasure, which may know more sessions.
            no_erasure = f" AND type != '{ERASURE}'"
            for table, time, also in (("events", "at_s", no_erasure), ("rankings", "logged_s", "")):
                connection.execute(
                    f"DELETE FROM {table} WHERE user_id = ? AND {time} >= ?{also}",
                    (user_id, from_s),
                )
                # What a session did before it signed in was done by the same shopper.
                guests = guests_of(connection, table, time, sessions, from_s)
                gone = [(seq,) for seq, session, at_s in guests if sharing.may_be(session, at_s)]
                connection.executemany(f"DELETE FROM {table} WHERE seq = ?", gone)
            named = json.dumps({"sessions": sessions, "named": sharing.told()})
            now_s, told = self._clock(), (user_id, named, since_s)
            cursor = connection.execute(
                "INSERT INTO events (event_id, type, at_s, user_id, query, value, logged_s) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (f"erasure:{uuid.uuid4()}", ERASURE, now_s, *told, now_s),
            )
            seq = cursor.lastrowid
        assert seq is not None
        return seq

    def finish_erasure(self, seq: int) -> None:
        with self._file.write() as connection:
            connection.execute(
                "UPDATE events SET user_id = NULL, query = NULL WHERE seq = ? AND type = ?",
                (seq, ERASURE),
            )

    def append_rankings(self, rankings: Sequence[RankingRecord]) -> None:
        now_s = self._clock()
        rows = [(r.ranking_id, r.user_id, r.session_id, now_s, pack(r)) for r in rankings]
        with self._file.write() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO rankings "
                "(ranking_id, user_id, session_id, logged_s, record) VALUES (?, ?, ?, ?, ?)",
                rows,
            )

    def read_rankings(self, after_seq: int, limit: int) -> list[tuple[int, RankingRecord]]:
        rows = self._file.connection.execute(
            "SELECT seq, record FROM rankings WHERE seq > ? ORDER BY seq LIMIT ?",
            (after_seq, limit),
        )
        return [(seq, unpack(record)) for seq, record in rows]

    def routes(self, ranking_ids: Sequence[str]) -> dict[str, RankingRoute]:
        marks = ", ".join("?" for _ in ranking_ids)
        rows = self._file.connection.execute(
            f"SELECT record FROM rankings WHERE ranking_id IN ({marks})", tuple(ranking_ids)
        )
        return routes_of(unpack(record) for (record,) in rows)

    def prune(self, before_s: float, limit: int = 10_000) -> int:
        with self._file.write() as connection:
            before = connection.total_changes
            connection.execute(
                "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE logged_s < ? "
                "AND seq <= (SELECT min(seq) FROM consumers) "
                "AND NOT (type = ? AND user_id IS NOT NULL) LIMIT ?)",
                (before_s, ERASURE, limit),
            )
            connection.execute(
                "DELETE FROM rankings WHERE seq IN "
                "(SELECT seq FROM rankings WHERE logged_s < ? LIMIT ?)",
                (before_s, limit),
            )
            return connection.total_changes - before

    def compact(self) -> bool:
        return self._file.vacuum()

    def close(self) -> None:
        self._file.close()
