"""The two streams of a log in Redis, and their oldest entries, which go first."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import orjson
from redis import Redis

from features.events.log import ERASURE
from features.events.ranking_codec import unpack

# KEYS stream, ids; ARGV pairs of position and id. A script: a full server takes no transaction.
_DELETE = """
for i = 1, #ARGV, 2 do
  redis.call('XDEL', KEYS[1], ARGV[i] .. '-0')
  redis.call('HDEL', KEYS[2], ARGV[i + 1])
end
"""
Kind = Literal["event", "ranking"]


class StoredEntry(NamedTuple):
    """An entry as it lies in a stream. n_bytes: of its content alone."""

    seq: int
    entry_id: str  # event_id or ranking_id
    logged_s: float
    n_bytes: int


class RedisStreams:
    """The streams of events and of rankings under `prefix`, with their ids and counters."""

    def __init__(self, client: Redis, prefix: str) -> None:
        self._client: Any = client
        self._prefix = prefix
        self._delete = client.register_script(_DELETE)

    def key(self, name: str) -> str:
        """The key called `name`."""
        return f"{self._prefix}:{name}"

    def keys(self, kind: Kind) -> list[str]:
        """Counter, stream, positions by id."""
        return [self.key(f"{kind}_seq"), self.key(f"{kind}s"), self.key(f"{kind}_ids")]

    def oldest(self, kind: Kind, limit: int) -> Iterator[StoredEntry]:
        """Up to `limit` entries that nobody waits for: of events, what every consumer has
        committed, and no erasure that was not carried out.
        """
        newest = "+"
        if kind == "event":
            offsets = map(int, self._client.hvals(self.key("offsets")))
            newest = f"{min(offsets, default=0)}-0"
        for name, values in self._client.xrange(self.key(f"{kind}s"), "-", newest, limit):
            content, logged_s = values[b"e"], float(values[b"t"])
            if kind == "event":
                entry = orjson.loads(content)
                if entry["type"] == ERASURE:  # one that was carried out is gone
                    continue
                entry_id = entry["event_id"]
            else:
                entry_id = unpack(content).ranking_id
            yield StoredEntry(seq_of(name), entry_id, logged_s, len(content))

    def delete(self, kind: Kind, entries: Iterable[tuple[int, str]]) -> None:
        """Delete entries by position and id, on a full server, too."""
        pairs = [part for entry in entries for part in entry]
        if pairs:
            self._delete(self.keys(kind)[1:], pairs)


def seq_of(name: bytes) -> int:
    """The position of a stream's entry."""
    return int(name.split(b"-")[0])
