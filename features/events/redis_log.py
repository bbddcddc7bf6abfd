"""The event log of a cluster: Redis Streams. Entry ids are `<seq>-0`: positions are whole numbers.

Durable means what the server's `appendfsync` says: `always` for "on disk when append returns". The
work that must be atomic is done in scripts; all keys share one hash slot.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import product, takewhile
from typing import Any

import orjson
from redis import Redis

from features.events.codec import erasure_of, erasure_record, event_of, event_record
from features.events.event import BehaviorEvent
from features.events.lease import UNSHARED, Lease, LeaseLostError
from features.events.log import (
    ERASURE,
    AppendResult,
    Erasure,
    ItemChanges,
    LogEntry,
    RankingRecord,
    RankingRoute,
    routes_of,
    wait_for,
)
from features.events.ranking_codec import pack, unpack
from features.events.redis_streams import Kind, RedisStreams, seq_of
from features.events.sharing import Sharing
from features.full import told_when_full

_SCAN = 1_000  # entries a round trip when the whole stream is walked
_KINDS: tuple[Kind, ...] = ("event", "ranking")

# KEYS counter, stream, ids; ARGV then pairs of id and entry. Returns how many were new.
_APPEND = """
local accepted = 0
for i = 2, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[3], ARGV[i]) == 0 then
    local seq = redis.call('INCR', KEYS[1])
    redis.call('HSET', KEYS[3], ARGV[i], seq)
    redis.call('XADD', KEYS[2], seq .. '-0', 'e', ARGV[i + 1], 't', ARGV[1])
    accepted = accepted + 1
  end
end
return accepted
"""
# As above, but an id that is there is replaced.
_REPLACE = """
for i = 2, #ARGV, 2 do
  local old = redis.call('HGET', KEYS[3], ARGV[i])
  if old then redis.call('XDEL', KEYS[2], old .. '-0') end
  local seq = redis.call('INCR', KEYS[1])
  redis.call('HSET', KEYS[3], ARGV[i], seq)
  redis.call('XADD', KEYS[2], seq .. '-0', 'e', ARGV[i + 1], 't', ARGV[1])
end
"""
# KEYS offsets, statuses, change counter, changes, lease; ARGV token, consumer, seq, status, items.
_COMMIT = """
if ARGV[1] ~= '' and redis.call('GET', KEYS[5]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[2], ARGV[2], ARGV[4]) end
if #ARGV > 4 then
  local change = redis.call('INCR', KEYS[3])
  for i = 5, #ARGV do redis.call('ZADD', KEYS[4], change, ARGV[i]) end
end
return 1
"""


class RedisEventLog:
    """`EventLog` in the Redis of `client`, under `prefix`. Only the holder of `lease` commits."""

    def __init__(
        self,
        client: Redis,
        clock: Callable[[], float] = time.time,
        prefix: str = "{vitrine}",
        lease: Lease = UNSHARED,
        lease_prefix: str | None = None,  # under which the lease lies; None: the same
    ) -> None:
        self._client: Any = client
        self._clock, self._lease = clock, lease
        self._streams = RedisStreams(client, prefix)
        names = (
            "events", "event_seq", "event_ids", "rankings", "ranking_ids", "offsets", "statuses",
            "item_change", "item_changes",
        )  # fmt: skip
        self._key = {name: self._streams.key(name) for name in names}
        self._key["lease"] = f"{lease_prefix or prefix}:lease"
        self._append = client.register_script(_APPEND)
        self._replace = client.register_script(_REPLACE)
        self._commit = client.register_script(_COMMIT)

    def append(self, events: Sequence[BehaviorEvent]) -> AppendResult:
        pairs = [part for event in events for part in (event.event_id, _entry_bytes(event))]
        accepted = 0
        if pairs:
            with told_when_full():
                accepted = self._append(self._streams.keys("event"), [self._clock(), *pairs])
        return AppendResult(accepted, len(events) - accepted)

    def read(self, after_seq: int, limit: int) -> list[tuple[int, LogEntry]]:
        entries = self._client.xrange(self._key["events"], f"{after_seq + 1}-0", "+", limit)
        return [(seq_of(entry_id), _entry(values[b"e"])) for entry_id, values in entries]

    def last_seq(self) -> int:
        return int(self._client.get(self._key["event_seq"]) or 0)

    def logged_s(self, seq: int) -> float | None:
        entries = self._client.xrange(self._key["events"], f"{seq}-0", f"{seq}-0")
        return float(entries[0][1][b"t"]) if entries else None

    def wait(self, after_seq: int, timeout_s: float) -> bool:
        # Not XREAD BLOCK: it would have to stay below the client's socket timeout.
        return wait_for(
            lambda: bool(self._client.xrange(self._key["events"], f"{after_seq + 1}-0", "+", 1)),
            timeout_s,
        )

    def offset(self, consumer: str) -> int:
        return int(self._client.hget(self._key["offsets"], consumer) or 0)

    def commit(
        self,
        consumer: str,
        seq: int,
        changed_item_ids: Sequence[str] = (),
        status: bytes | None = None,
    ) -> None:
        names = ("offsets", "statuses", "item_change", "item_changes", "lease")
        keys, token = [self._key[name] for name in names], self._lease.token
        if not self._commit(keys, [token, consumer, seq, status or b"", *changed_item_ids]):
            raise LeaseLostError

    def changed_items_since(self, change: int, limit: int = 10_000) -> ItemChanges:
        key = self._key["item_changes"]
        changed = self._client.zrangebyscore(key, f"({change}", "+inf", 0, limit, withscores=True)
        if not changed:
            return ItemChanges(change, [])
        last = int(changed[-1][1])  # one change may hold more items than the limit lets through
        names = self._client.zrangebyscore(key, f"({change}", last)
        return ItemChanges(last, [name.decode() for name in names])

    def status(self, consumer: str) -> bytes | None:
        status: bytes | None = self._client.hget(self._key["statuses"], consumer)
        return status

    def erase_user(self, user_id: str, since_s: float | None = None) -> int:
        from_s = 0.0 if since_s is None else since_s
        sessions = {
            entry["session_id"] for kind in _KINDS for _, _, entry in self._walk(kind)
            if entry["user_id"] == user_id and entry["session_id"] and entry["at_s"] >= from_s
        }  # fmt: skip
        sharing = Sharing(
            (entry["session_id"], entry["at_s"], entry["user_id"] == user_id)
            for kind in _KINDS for _, _, entry in self._walk(kind)
            if entry["user_id"] and entry["session_id"] in sessions
        )  # fmt: skip
        # First: who asks again when there was no room must find the sessions still there.
        erasure = Erasure(user_id, tuple(sorted(sessions)), since_s, sharing.told())
        erasure_seq = self._append_erasure(erasure)
        # Then guests of both: who asks again after a break must find whose they were.
        for guests, kind in product((True, False), _KINDS):
            for seq, entry_id, entry in self._walk(kind):
                if kind == "event" and seq >= erasure_seq:
                    break
                user, session, at_s = entry["user_id"], entry["session_id"], entry["at_s"]
                if entry.get("type") == ERASURE or at_s < from_s:
                    continue  # an earlier one may know more sessions
                guest = user is None and session in sessions and sharing.may_be(session, at_s)
                if guest if guests else user == user_id:
                    self._streams.delete(kind, [(seq, entry_id)])
        return erasure_seq

    def finish_erasure(self, seq: int) -> None:
        # An entry of a stream cannot be changed: it goes, and its position stays empty.
        entries = self._client.xrange(self._key["events"], f"{seq}-0", f"{seq}-0")
        if entries and (entry := orjson.loads(entries[0][1][b"e"]))["type"] == ERASURE:
            self._streams.delete("event", [(seq, entry["event_id"])])

    def append_rankings(self, rankings: Sequence[RankingRecord]) -> None:
        pairs = [part for ranking in rankings for part in (ranking.ranking_id, pack(ranking))]
        if pairs:
            with told_when_full():
                self._replace(self._streams.keys("ranking"), [self._clock(), *pairs])

    def read_rankings(self, after_seq: int, limit: int) -> list[tuple[int, RankingRecord]]:
        entries = self._client.xrange(self._key["rankings"], f"{after_seq + 1}-0", "+", limit)
        return [(seq_of(entry_id), unpack(values[b"e"])) for entry_id, values in entries]

    def routes(self, ranking_ids: Sequence[str]) -> dict[str, RankingRoute]:
        seqs = self._client.hmget(self._key["ranking_ids"], list(ranking_ids))
        with self._client.pipeline(transaction=False) as pipe:
            for seq in filter(None, seqs):
                pipe.xrange(self._key["rankings"], f"{int(seq)}-0", f"{int(seq)}-0")
            streams = pipe.execute()
        return routes_of(unpack(entries[0][1][b"e"]) for entries in streams if entries)

    def prune(self, before_s: float, limit: int = 10_000) -> int:
        pruned = 0
        for kind in _KINDS:
            oldest = self._streams.oldest(kind, limit)
            old = list(takewhile(lambda entry: entry.logged_s < before_s, oldest))
            self._streams.delete(kind, [(entry.seq, entry.entry_id) for entry in old])
            pruned += len(old)
        return pruned

    def compact(self) -> bool:
        return True  # the server rewrites its append-only file by itself

    def close(self) -> None:
        self._client.close()

    def _append_erasure(self, erasure: Erasure) -> int:
        erasure_id, now_s = f"erasure:{uuid.uuid4()}", self._clock()
        also = {"event_id": erasure_id, "session_id": None, "at_s": now_s}
        told = orjson.dumps(erasure_record(erasure) | also)
        entry: list[float | str | bytes] = [now_s, erasure_id, told]
        with told_when_full():
            self._append(self._streams.keys("event"), entry)
        return int(self._client.hget(self._key["event_ids"], erasure_id))

    def _walk(self, kind: Kind) -> Iterator[tuple[int, str, dict[str, Any]]]:
        seq = 0
        while entries := self._client.xrange(self._key[f"{kind}s"], f"{seq + 1}-0", "+", _SCAN):
            for entry_id, values in entries:
                seq = seq_of(entry_id)
                if kind == "event":
                    entry = orjson.loads(values[b"e"])
                    # An erasure of an earlier version tells no time.
                    yield seq, entry["event_id"], {"at_s": 0.0, **entry}
                else:
                    record = unpack(values[b"e"])
                    ids = {"user_id": record.user_id, "session_id": record.session_id}
                    yield seq, record.ranking_id, {**ids, "at_s": record.at_s}


def _entry_bytes(event: BehaviorEvent) -> bytes:
    return orjson.dumps(event_record(event))


def _entry(data: bytes) -> LogEntry:
    values = orjson.loads(data)
    if values["type"] == ERASURE:
        return erasure_of(values)
    return event_of(values)
