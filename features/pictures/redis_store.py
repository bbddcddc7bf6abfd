"""The pictures of a cluster, in Redis: the contract of `features.pictures.store.Rows`."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields, replace
from typing import Any

import msgpack
from redis import Redis

from features.full import told_when_full
from features.pictures.store import (
    NOT_READ,
    Change,
    PictureState,
    Reading,
    Row,
    RowChanges,
    keeps_canvas,
    read_due_s,
)

# KEYS counter, changes, rows, due, canvases, revisions, a set a state, due readings. ARGV for
# each change item, revision that must stand there (0 = none), new row, its state, due ('' = it
# waits for nothing), canvas ('' = none came), whether canvases are kept, when it may be read ('0' =
# it waits for nobody).
_REPLACE = """
local change, done = false, {}
local states = {waiting = 7, ready = 8, failed = 9, gone = 10}
for i = 1, #ARGV, 8 do
  local item, state, due = ARGV[i], ARGV[i + 3], ARGV[i + 4]
  if tonumber(redis.call('HGET', KEYS[6], item) or 0) == tonumber(ARGV[i + 1]) then
    change = change or redis.call('INCR', KEYS[1])
    redis.call('HINCRBY', KEYS[6], item, 1)
    redis.call('ZADD', KEYS[2], change, item)
    redis.call('HSET', KEYS[3], item, ARGV[i + 2])
    if due == '' then redis.call('ZREM', KEYS[4], item)
    else redis.call('ZADD', KEYS[4], due, item) end
    if ARGV[i + 7] == '0' then redis.call('ZREM', KEYS[11], item)
    else redis.call('ZADD', KEYS[11], ARGV[i + 7], item) end
    if ARGV[i + 6] == '0' then redis.call('HDEL', KEYS[5], item)
    elseif ARGV[i + 5] ~= '' then redis.call('HSET', KEYS[5], item, ARGV[i + 5]) end
    for name, place in pairs(states) do
      if name == state then redis.call('SADD', KEYS[place], item)
      else redis.call('SREM', KEYS[place], item) end
    end
    done[#done + 1] = 1
  else
    done[#done + 1] = 0
  end
end
return done
"""
_STATES = (PictureState.WAITING, PictureState.READY, PictureState.FAILED, PictureState.GONE)
_AT_ONCE = 500
_ALL = len(fields(Row)) - 3  # behind the state


class RedisPictures:
    """`Rows` in the Redis of `client`, under `prefix`."""

    def __init__(self, client: Redis, prefix: str = "{vitrine}") -> None:
        self._client: Any = client
        names = "change", "changes", "rows", "due", "canvases", "revisions", *_STATES, "read_due"
        self._keys = [f"{prefix}:pictures:{name}" for name in names]
        self._script = client.register_script(_REPLACE)

    def get(self, item_ids: Sequence[str]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for start in range(0, len(item_ids), _AT_ONCE):
            records = self._client.hmget(self._keys[2], item_ids[start : start + _AT_ONCE])
            rows = [_row(record) for record in records if record is not None]
            found |= {row.item_id: row for row in rows}
        return found

    def replace(self, changes: Sequence[Change]) -> list[bool]:
        done: list[bool] = []
        for start in range(0, len(changes), _AT_ONCE):
            sent: list[Any] = []
            for was, row, canvas in changes[start : start + _AT_ONCE]:
                before = was.revision if was else 0
                values = astuple(replace(row, revision=before + 1))
                # Without the last one it is what replicas of before can read.
                record = msgpack.packb(values[:-1] if row.reading == NOT_READ else values)
                due = row.due_s if row.state is PictureState.WAITING else ""
                sent += [row.item_id, before, record, row.state, due, canvas or b""]
                sent += [int(keeps_canvas(row)), read_due_s(row) or 0]
            with told_when_full():
                done += map(bool, self._script(self._keys, sent))
        return done

    def canvas(self, item_id: str) -> bytes | None:
        found: bytes | None = self._client.hget(self._keys[4], item_id)
        return found

    def due(self, now_s: float, limit: int) -> list[Row]:
        names = self._client.zrangebyscore(self._keys[3], "-inf", now_s, start=0, num=limit)
        # One that another worker took between the two calls is due later by now.
        return [
            row
            for row in self._of(names)
            if row.state is PictureState.WAITING and row.due_s <= now_s
        ]

    def due_readings(self, now_s: float, limit: int) -> list[Row]:
        names = self._client.zrangebyscore(self._keys[10], "-inf", now_s, start=0, num=limit)
        return [row for row in self._of(names) if 0 < read_due_s(row) <= now_s]

    def n_unread(self) -> int:
        n_unread: int = self._client.zcard(self._keys[10])
        return n_unread

    def ids(self, state: PictureState) -> list[str]:
        names = self._client.smembers(self._keys[6 + _STATES.index(state)])
        return sorted(name.decode() for name in names)

    def changed_since(self, change: int, limit: int) -> RowChanges:
        begin = f"({change}"
        first = self._client.zrangebyscore(
            self._keys[1], begin, "+inf", start=0, num=limit, withscores=True
        )
        if not first:
            return RowChanges(change, [])
        last = int(first[-1][1])
        names = self._client.zrangebyscore(self._keys[1], begin, last)
        return RowChanges(last, self._of(names))

    def counts(self) -> Mapping[PictureState, int]:
        sizes = [self._client.scard(key) for key in self._keys[6:10]]
        return {state: size for state, size in zip(_STATES, sizes, strict=True) if size}

    def close(self) -> None:
        self._client.close()

    def _of(self, names: Sequence[bytes]) -> list[Row]:
        records = self._client.hmget(self._keys[2], names) if names else []
        return [_row(record) for record in records if record is not None]


def _row(record: bytes) -> Row:
    item_id, origin, state, *others = msgpack.unpackb(record)
    if len(others) == _ALL:
        others[-1] = Reading(*others[-1])
    return Row(item_id, origin, PictureState(state), *others)
