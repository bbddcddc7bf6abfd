"""What Feast has no call for: deleting one entity's row, and letting old sessions go.

This is the only module that knows how Feast lays out its online stores; the contract suite over
both of them fails when a Feast release changes that.
"""

import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from feast import FeatureStore
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from features.definitions import JOIN_KEY, SESSION_VIEW, TTL_S
from features.sqlite_file import SqliteFile

_KEY_VERSION = 3


class OnlineRows(Protocol):
    """Rows of the online store by entity."""

    def delete(self, view: str, keys: Collection[str]) -> None:
        """Delete the rows of `keys`; unknown ones are no error."""
        ...

    def written(self, view: str, keys: Collection[str]) -> None:
        """Called after each write."""
        ...

    def sync(self) -> None:
        """Bring what was written to the disk, where that is ours to do."""
        ...

    def prune_sessions(self, before_s: float) -> None:
        """Delete session rows whose newest event is older."""
        ...

    def compact(self) -> bool:
        """Leave no byte of deleted rows in any file; False when a reader was in the way."""
        ...

    def close(self) -> None:
        """Give back files and connections."""
        ...


class SqliteRows:
    """Rows in Feast's SQLite file: table `<project>_<view>`, one row for each feature."""

    def __init__(self, path: Path, project: str) -> None:
        self._file = SqliteFile(path)
        self._project = project

    def delete(self, view: str, keys: Collection[str]) -> None:
        rows = [(serialize_entity_key(entity_key(view, key), _KEY_VERSION),) for key in keys]
        with self._file.write() as connection:
            connection.executemany(f"DELETE FROM {self._table(view)} WHERE entity_key = ?", rows)

    def written(self, view: str, keys: Collection[str]) -> None:
        pass

    def sync(self) -> None:
        # Feast's connection takes the build's default, which in WAL mode may be to sync only now
        # and then: a power cut would lose rows of events that the log holds for done.
        wal = self._file.path.with_name(f"{self._file.path.name}-wal")
        if wal.exists():
            with wal.open("rb") as file:
                os.fsync(file.fileno())

    def prune_sessions(self, before_s: float) -> None:
        # Feast binds naive UTC through an adapter that reads it as local time: do the same.
        before = datetime.fromtimestamp(before_s, UTC).replace(tzinfo=None)
        with self._file.write() as connection:
            connection.execute(
                f"DELETE FROM {self._table(SESSION_VIEW)} WHERE event_ts < ?",
                (int(before.timestamp()),),
            )

    def compact(self) -> bool:
        return self._file.vacuum()

    def close(self) -> None:
        self._file.close()

    def _table(self, view: str) -> str:
        return f'"{self._project}_{view}"'


class RedisRows:
    """Rows in Redis: one hash an entity, shared by the views of that entity."""

    def __init__(self, client: Any, project: str) -> None:
        self._client = client
        self._project = project

    def delete(self, view: str, keys: Collection[str]) -> None:
        if keys:
            self._client.delete(*(self._key(view, key) for key in keys))

    def written(self, view: str, keys: Collection[str]) -> None:
        # Feast has one time to live for all keys; sessions need a far shorter one than shoppers.
        with self._client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.expire(self._key(view, key), int(TTL_S[view]))
            pipe.execute()

    def sync(self) -> None:
        pass  # `appendfsync` of the server decides

    def prune_sessions(self, before_s: float) -> None:
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
        return SqliteRows(Path(config.path), store.project)
    from feast.infra.online_stores.redis import RedisOnlineStore

    return RedisRows(RedisOnlineStore()._get_client(config), store.project)


def entity_key(view: str, key: str) -> EntityKey:
    """Feast's key of one entity."""
    return EntityKey(join_keys=[JOIN_KEY[view]], entity_values=[Value(string_val=key)])
