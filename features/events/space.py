"""How much room the log takes and has, and what goes when it takes too much.

A contract, fulfilled beside either log. In Redis the log shares its memory with catalogue and
online store: a log that fills it stops them all.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from redis import Redis
from redis.exceptions import NoPermissionError

from features.events.log import ERASURE
from features.events.redis_streams import Kind, RedisStreams, StoredEntry
from features.sqlite_file import SqliteFile

LOG_SHARE = 0.6  # of the store's memory, if nothing else is said
STORE_SHARE = 0.75  # what the log gives way at, whoever takes the memory
_SAMPLES = 100  # entries by whose sizes that of all is estimated
# What an entry takes beside its content: the allocator's rounding, stream and id. Measured on Redis
# 7.0, from 0.4 to 20 kB: within 6 %.
_GROWTH, _BESIDE = 1.07, 130

# KEYS stream; ARGV samples. Returns the number of entries, and the bytes of as many as are looked
# at, evenly over all positions: what came of late may be of another size than the oldest.
_SAMPLE = """
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not first then return {0, 0} end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local from = tonumber(string.match(first[1], '^%d+'))
local to = tonumber(string.match(last[1], '^%d+'))
local bytes = 0
for k = 0, ARGV[1] - 1 do
  local seq = math.floor(from + (to - from) * (k + 0.5) / ARGV[1])
  local found = redis.call('XRANGE', KEYS[1], string.format('%.0f-0', seq), '+', 'COUNT', 1)
  bytes = bytes + #found[1][2][2]
end
return {redis.call('XLEN', KEYS[1]), bytes}
"""


class Space(NamedTuple):
    """Bytes of the log and of the store that it shares; a bound of None: there is none."""

    log: int  # events, rankings and their ids; in Redis estimated
    log_max: int | None
    store: int
    store_max: int | None

    @property
    def excess(self) -> int:
        """What the log is to give back; at most 0 when it is within its bounds."""
        over_log = 0 if self.log_max is None else self.log - self.log_max
        over_store = 0 if self.store_max is None else self.store - STORE_SHARE * self.store_max
        return int(max(over_log, over_store))


class Trimmed(NamedTuple):
    """Entries that went."""

    rankings: int
    events: int


class LogSpace(Protocol):
    """The room of one log."""

    def fill(self) -> float:
        """The share of the store's memory that is taken; 0 where nothing bounds it. Cheap."""
        ...

    def measure(self) -> Space:
        """Both sizes, with their bounds."""
        ...

    def trim(self, n_bytes: int, limit: int = 500) -> Trimmed:
        """Delete about `n_bytes`, of at most `limit` entries, oldest first: rankings, and events
        when there is no ranking left. An event that a known consumer has not committed stays, and
        so does an erasure that was not carried out.
        """
        ...

    def close(self) -> None:
        """Give back files and connections."""
        ...


class SqliteLogSpace:
    """`LogSpace` of the log at `path`. What is freed is used again; the file stays as long."""

    def __init__(self, path: Path, log_max: int | None) -> None:
        self._file = SqliteFile(path)
        self._log_max = log_max

    def fill(self) -> float:
        return 0.0

    def measure(self) -> Space:
        pages, free, size = (
            self._file.connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        used = (pages - free) * size
        return Space(used, self._log_max, used, None)

    def trim(self, n_bytes: int, limit: int = 500) -> Trimmed:
        connection = self._file.connection
        rows = connection.execute(
            "SELECT seq, length(record) FROM rankings ORDER BY seq LIMIT ?", (limit,)
        ).fetchall()
        if rows:
            return Trimmed(self._delete("rankings", _enough(rows, n_bytes)), 0)
        rows = connection.execute(
            "SELECT seq, 400 FROM events WHERE seq <= (SELECT min(seq) FROM consumers) "
            "AND NOT (type = ? AND user_id IS NOT NULL) ORDER BY seq LIMIT ?",
            (ERASURE, limit),
        ).fetchall()
        return Trimmed(0, self._delete("events", _enough(rows, n_bytes)))

    def _delete(self, table: str, seqs: list[int]) -> int:
        with self._file.write() as connection:
            connection.executemany(f"DELETE FROM {table} WHERE seq = ?", [(seq,) for seq in seqs])
        return len(seqs)

    def close(self) -> None:
        self._file.close()


class RedisLogSpace:
    """`LogSpace` in the Redis of `client`, under `prefix`.

    share: of one shop of several, what it gets of the room for logs; None: the log is the only one.
    One of several gives way at its own bound alone, not for what others have put into the store.
    """

    def __init__(
        self,
        client: Redis,
        log_max: int | None,
        prefix: str = "{vitrine}",
        share: float | None = None,
    ) -> None:
        self._client: Any = client
        self._log_max = log_max
        self._share = share
        self._streams = RedisStreams(client, prefix)
        self._sample = client.register_script(_SAMPLE)

    def fill(self) -> float:
        used, most = self._memory()
        return used / most if most else 0.0

    def measure(self) -> Space:
        used, most = self._memory()
        log_share = LOG_SHARE * (self._share or 1.0)
        log_max = self._log_max or (int(log_share * most) if most else None)
        log = self._bytes("event") + self._bytes("ranking")
        if self._share is not None:
            return Space(log, log_max, log, None)
        return Space(log, log_max, used, most)

    def trim(self, n_bytes: int, limit: int = 500) -> Trimmed:
        rankings = list(self._streams.oldest("ranking", limit))
        if rankings:
            return Trimmed(self._delete("ranking", rankings, n_bytes), 0)
        return Trimmed(0, self._delete("event", self._streams.oldest("event", limit), n_bytes))

    def close(self) -> None:
        self._client.close()

    def _delete(self, kind: Kind, entries: Iterable[StoredEntry], n_bytes: int) -> int:
        sizes = [((entry.seq, entry.entry_id), _taken(entry.n_bytes)) for entry in entries]
        chosen = _enough(sizes, n_bytes)
        self._streams.delete(kind, chosen)
        return len(chosen)

    def _memory(self) -> tuple[int, int | None]:
        try:
            memory = self._client.info("memory")
        except NoPermissionError:  # not every server lets everybody ask
            return 0, None
        return int(memory["used_memory"]), int(memory["maxmemory"]) or None

    def _bytes(self, kind: Kind) -> int:
        entries, sampled = self._sample([self._streams.key(f"{kind}s")], [_SAMPLES])
        return int(entries * _taken(sampled / _SAMPLES)) if entries else 0


def _taken(content_bytes: float) -> float:
    """Of the memory, by an entry of so much content."""
    return content_bytes * _GROWTH + _BESIDE


def _enough(sized: Iterable[tuple[Any, float]], n_bytes: float) -> list[Any]:
    """The first of `sized`, until they are `n_bytes` together."""
    chosen = []
    for name, size in sized:
        if n_bytes <= 0:
            break
        chosen.append(name)
        n_bytes -= size
    return chosen
