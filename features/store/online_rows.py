"""What Feast has no call for, or a slow one: deleting rows, letting sessions go, reading, writing.

This is the only module that knows how Feast lays out its online stores; the contract suite over
both of them fails when a Feast release changes that.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Protocol

from feast import FeatureStore
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import _mmh3, _redis_key, extract_text_and_num
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from features.behavior.state_rows import BEHAVIOR_COLUMNS, PACKED
from features.definitions import COLUMNS, JOIN_KEY, PACKED_VIEWS, RANKER, TTL_S
from features.sqlite_file import SqliteFile

_KEY_VERSION = 3
# SQLite's own, 2 MB and 4 MB, are less than one batch of ingest writes: it would read pages back,
# and copy each into the file at once that the next batch writes again.
_WRITER_PRAGMAS = {"cache_size": -65_536, "wal_autocheckpoint": 8_000}  # KiB; pages of 4 KiB
Packed = dict[str, tuple[bytes, bool]]  # by view: PACKED, and whether there is a row at all
# The key, the features by name, the time of the newest event, when the row was made.
FeastRow = tuple[EntityKey, dict[str, Value], datetime, datetime]


class OnlineRows(Protocol):
    """Rows of the online store by entity."""

    def read(self, keys: Mapping[str, str]) -> Packed:
        """PACKED of one entity of each view, in one call where a network lies between."""
        ...

    def delete(self, view: str, keys: Collection[str]) -> None:
        """Delete the rows of `keys`; unknown ones are no error."""
        ...

    def write(self, view: str, rows: Sequence[FeastRow]) -> None:
        """Replace the rows, each as a whole; see `sync`."""
        ...

    def sync(self) -> None:
        """Bring what was written to the disk, where that is ours to do."""
        ...

    def prune(self, view: str, before_s: float) -> None:
        """Delete session rows whose newest event is older."""
        ...

    def compact(self) -> bool:
        """Leave no byte of deleted rows in any file; False when a reader was in the way."""
        ...

    def close(self) -> None:
        """Give back files and connections."""
        ...


class SqliteRows:
    """Rows in Feast's SQLite file: table `<project>_<view>`, one row for each feature.

    store: None: a copy, of which rows are only deleted
    """

    def __init__(self, path: Path, project: str, store: FeatureStore | None = None) -> None:
        self._file = SqliteFile(path)
        self._project = project
        self._store = store
        self._views = {} if store is None else {v: store.get_feature_view(v) for v in PACKED_VIEWS}

    @cached_property
    def _writer(self) -> Connection:
        """Feast's own connection, which its reads go through as well."""
        assert self._store is not None
        feasts: Any = self._store.provider
        writer: Connection = feasts.online_store._get_conn(self._store.config)
        for name, value in _WRITER_PRAGMAS.items():
            writer.execute(f"PRAGMA {name} = {value}")
        return writer

    def read(self, keys: Mapping[str, str]) -> Packed:
        # What Feast's own call asks its store for; around that it checks, names and copies, which
        # takes four times as long as to read.
        return {view: self._packed(view, key) for view, key in keys.items()}

    def _packed(self, view: str, key: str) -> tuple[bytes, bool]:
        assert self._store is not None
        ((at, values),) = self._store.provider.online_read(
            self._store.config, self._views[view], [entity_key(view, key)], [PACKED]
        )
        packed = (values or {}).get(PACKED)
        return b"" if packed is None else packed.bytes_val, at is not None

    def write(self, view: str, rows: Sequence[FeastRow]) -> None:
        # What Feast writes, as one statement of many rows: its own executes one for each feature,
        # which takes more than half of the time of ingest.
        with self._writer:
            if view in PACKED_VIEWS:  # Feast would read what an older row has beside it
                keys = [serialize_entity_key(key, _KEY_VERSION) for key, *_ in rows]
                self._writer.executemany(
                    f"DELETE FROM {self._table(view)} WHERE entity_key = ? AND feature_name <> ?",
                    [(key, PACKED) for key in keys],
                )
            self._writer.executemany(
                f"INSERT INTO {self._table(view)} "
                "(entity_key, feature_name, value, value_text, event_ts, created_ts) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (entity_key, feature_name) DO UPDATE SET "
                "value = excluded.value, value_text = excluded.value_text, "
                "event_ts = excluded.event_ts, created_ts = excluded.created_ts",
                _sqlite_rows(rows),
            )

    def delete(self, view: str, keys: Collection[str]) -> None:
        rows = [(serialize_entity_key(entity_key(view, key), _KEY_VERSION),) for key in keys]
        with self._file.write() as connection:
            connection.executemany(f"DELETE FROM {self._table(view)} WHERE entity_key = ?", rows)

    def sync(self) -> None:
        # Feast's connection takes the build's default, which in WAL mode may be to sync only now
        # and then: a power cut would lose rows of events that the log holds for done.
        wal = self._file.path.with_name(f"{self._file.path.name}-wal")
        if wal.exists():
            with wal.open("rb") as file:
                os.fsync(file.fileno())

    def prune(self, view: str, before_s: float) -> None:
        with self._file.write() as connection:
            connection.execute(
                f"DELETE FROM {self._table(view)} WHERE event_ts < ?",
                (_feast_time(datetime.fromtimestamp(before_s, UTC)),),
            )

    def compact(self) -> bool:
        return self._file.vacuum()

    def close(self) -> None:
        self._file.close()

    def _table(self, view: str) -> str:
        return f'"{self._project}_{view}"'


class RedisRows:
    """Rows in Redis: one hash an entity, shared by the views of that entity."""

    def __init__(self, client: Any, store: FeatureStore) -> None:
        self._client = client
        self._store = store
        self._project = store.project
        self._provider = store._get_provider()
        self._views = {name: store.get_feature_view(name) for name in COLUMNS}
        self._ranker = store.get_feature_service(RANKER)  # read when both are asked about

    def read(self, keys: Mapping[str, str]) -> Packed:
        response = self._store.get_online_features(
            self._ranker if len(keys) > 1 else [f"{view}:{PACKED}" for view in keys],
            entity_rows={JOIN_KEY[view]: [key] for view, key in keys.items()},
            full_feature_names=True,
        ).proto
        vectors = dict(zip(response.metadata.feature_names.val, response.results, strict=True))
        read = {view: vectors[f"{view}__{PACKED}"] for view in keys}
        return {
            view: (vector.values[0].bytes_val, bool(vector.event_timestamps[0].seconds))
            for view, vector in read.items()
        }

    def delete(self, view: str, keys: Collection[str]) -> None:
        if keys:
            self._client.delete(*(self._key(view, key) for key in keys))

    def write(self, view: str, rows: Sequence[FeastRow]) -> None:
        self._provider.online_write_batch(self._store.config, self._views[view], list(rows), None)
        # Feast has one time to live for all keys; sessions need a far shorter one than shoppers.
        with self._client.pipeline(transaction=False) as pipe:
            for key, *_ in rows:
                redis_key = _redis_key(self._project, key, _KEY_VERSION)
                pipe.expire(redis_key, int(TTL_S[view]))
                if view in PACKED_VIEWS:  # what an older row has beside it
                    pipe.hdel(redis_key, *(_mmh3(f"{view}:{name}") for name in BEHAVIOR_COLUMNS))
            pipe.execute()

    def sync(self) -> None:
        pass  # `appendfsync` of the server decides

    def prune(self, view: str, before_s: float) -> None:
        pass  # they expire

    def compact(self) -> bool:
        return True  # an append-only file is Redis's own to rewrite

    def close(self) -> None:
        self._client.close()

    def _key(self, view: str, key: str) -> bytes:
        redis_key: bytes = _redis_key(self._project, entity_key(view, key), _KEY_VERSION)
        return redis_key


def online_rows(store: FeatureStore) -> OnlineRows:
    """The rows of `store`, by its configured kind."""
    config = store.config.online_store
    if config.type == "sqlite":
        return SqliteRows(Path(config.path), store.project, store)
    from feast.infra.online_stores.redis import RedisOnlineStore

    return RedisRows(RedisOnlineStore()._get_client(config), store)


def entity_key(view: str, key: str) -> EntityKey:
    """Feast's key of one entity."""
    return EntityKey(join_keys=[JOIN_KEY[view]], entity_values=[Value(string_val=key)])


def _sqlite_rows(rows: Sequence[FeastRow]) -> Iterator[tuple[Any, ...]]:
    for key, values, at, created in rows:
        key_bytes = serialize_entity_key(key, _KEY_VERSION)
        times = _feast_time(at), _feast_time(created)
        for name, value in values.items():
            text, _ = extract_text_and_num(value, False)
            yield key_bytes, name, value.SerializeToString(), text, *times


def _feast_time(at: datetime) -> int:
    """Feast binds naive UTC through an adapter that reads it as local time: do the same."""
    return int(at.replace(tzinfo=None).timestamp())
