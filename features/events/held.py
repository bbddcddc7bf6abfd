"""Which events of the log wait for the catalogue to know their item, by position.

The events themselves stay in the log: what is erased or pruned there is gone here, too. A contract,
fulfilled beside either log.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson
from redis import Redis

from features.sqlite_file import SqliteFile


class Held(NamedTuple):
    """The event at `seq` waits for `item_id` since `held_s`, unix seconds."""

    seq: int
    item_id: str
    held_s: float


class HeldEvents(Protocol):
    """A durable set of `Held`."""

    def hold(self, events: Sequence[Held]) -> None:
        """Add them; durable when it returns. What is there already stays as it is."""
        ...

    def drop(self, seqs: Sequence[int]) -> None:
        """Take them out; unknown ones are no error."""
        ...

    def all(self) -> list[Held]:
        """All of them, in order of position."""
        ...

    def close(self) -> None:
        """Give back files and connections."""
        ...


_SCHEMA = """
CREATE TABLE IF NOT EXISTS held (
  seq INTEGER PRIMARY KEY, item_id TEXT NOT NULL, held_s REAL NOT NULL
)
"""


class SqliteHeldEvents:
    """`HeldEvents` in the file of the log at `path`."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _SCHEMA)

    def hold(self, events: Sequence[Held]) -> None:
        with self._file.write() as connection:
            connection.executemany("INSERT OR IGNORE INTO held VALUES (?, ?, ?)", events)

    def drop(self, seqs: Sequence[int]) -> None:
        with self._file.write() as connection:
            connection.executemany("DELETE FROM held WHERE seq = ?", [(seq,) for seq in seqs])

    def all(self) -> list[Held]:
        rows = self._file.connection.execute("SELECT seq, item_id, held_s FROM held ORDER BY seq")
        return [Held(*row) for row in rows]

    def close(self) -> None:
        self._file.close()


class RedisHeldEvents:
    """`HeldEvents` in the Redis of `client`, under `prefix`."""

    def __init__(self, client: Redis, prefix: str = "{vitrine}") -> None:
        self._client: Any = client
        self._key = f"{prefix}:held"

    def hold(self, events: Sequence[Held]) -> None:
        with self._client.pipeline(transaction=True) as pipe:
            for event in events:
                pipe.hsetnx(self._key, event.seq, orjson.dumps([event.item_id, event.held_s]))
            pipe.execute()

    def drop(self, seqs: Sequence[int]) -> None:
        if seqs:
            self._client.hdel(self._key, *seqs)

    def all(self) -> list[Held]:
        held = self._client.hgetall(self._key).items()
        return sorted(Held(int(seq), *orjson.loads(value)) for seq, value in held)

    def close(self) -> None:
        self._client.close()
