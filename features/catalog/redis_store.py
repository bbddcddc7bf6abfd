"""The catalogue of a cluster, in Redis: the contract of `features.catalog.store.Catalog`."""

from collections.abc import Sequence
from typing import Any

from redis import Redis

from features.catalog.item import Item
from features.catalog.store import CatalogChanges, Edit, by_item, item_bytes, item_from
from features.full import told_when_full

# KEYS change counter, changes, records, ids by name; ARGV pairs of id and record ('' = deleted).
_WRITE = """
local change = redis.call('INCR', KEYS[1])
for i = 1, #ARGV, 2 do
  redis.call('ZADD', KEYS[2], change, ARGV[i])
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[3], ARGV[i])
    redis.call('ZREM', KEYS[4], ARGV[i])
  else
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
    redis.call('ZADD', KEYS[4], 0, ARGV[i])
  end
end
return change
"""
# The same KEYS; ARGV threes of id, record as it was read ('' = none) and new record. Returns the
# ids whose record was another one by now; the others are written.
_REPLACE = """
local change, late = false, {}
for i = 1, #ARGV, 3 do
  if (redis.call('HGET', KEYS[3], ARGV[i]) or '') == ARGV[i + 1] then
    change = change or redis.call('INCR', KEYS[1])
    redis.call('ZADD', KEYS[2], change, ARGV[i])
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 2])
    redis.call('ZADD', KEYS[4], 0, ARGV[i])
  else
    late[#late + 1] = ARGV[i]
  end
end
return late
"""


class RedisCatalog:
    """`Catalog` in the Redis of `client`, under `prefix`."""

    def __init__(self, client: Redis, prefix: str = "{vitrine}") -> None:
        self._client: Any = client
        names = ("catalog_change", "catalog_changes", "items", "item_ids")
        self._keys = [f"{prefix}:{name}" for name in names]
        self._script = client.register_script(_WRITE)
        self._replace = client.register_script(_REPLACE)

    def upsert(self, items: Sequence[Item]) -> int:
        if not items:
            return int(self._client.get(self._keys[0]) or 0)
        pairs = [part for item in items for part in (item.item_id, item_bytes(item))]
        with told_when_full():
            return int(self._script(self._keys, pairs))

    def edit(self, edits: Sequence[tuple[str, Edit]]) -> None:
        waiting = by_item(edits)
        while waiting:
            ids = list(waiting)
            threes: list[str | bytes] = []
            for item_id, record in zip(ids, self._client.hmget(self._keys[2], ids), strict=True):
                made = waiting[item_id](None if record is None else item_from(record))
                if made is not None:
                    threes += [item_id, record or b"", item_bytes(made)]
            with told_when_full():
                late = {item_id.decode() for item_id in self._replace(self._keys, threes)}
            waiting = {item_id: waiting[item_id] for item_id in late}

    def delete(self, item_id: str) -> bool:
        if not self._client.hexists(self._keys[2], item_id):
            return False
        with told_when_full():
            self._script(self._keys, [item_id, b""])
        return True

    def get(self, item_id: str) -> Item | None:
        record = self._client.hget(self._keys[2], item_id)
        return item_from(record) if record is not None else None

    def changed_since(self, change: int) -> CatalogChanges:
        changed = self._client.zrangebyscore(self._keys[1], f"({change}", "+inf", withscores=True)
        if not changed:
            return CatalogChanges(change, [], [])
        ids = [name for name, _ in changed]
        records = self._client.hmget(self._keys[2], ids)
        return CatalogChanges(
            int(changed[-1][1]),
            [item_from(record) for record in records if record is not None],
            [key.decode() for key, record in zip(ids, records, strict=True) if record is None],
        )

    def page(self, after: str, limit: int) -> list[Item]:
        records, names = self._keys[2:]
        if self._client.zcard(names) != self._client.hlen(records):
            # Written before ids were kept by name.
            ids = self._client.hkeys(records)
            self._client.zadd(names, dict.fromkeys(ids, 0))
        start = b"(" + after.encode() if after else b"-"
        ids = self._client.zrangebylex(names, start, "+", start=0, num=limit)
        found = self._client.hmget(records, ids) if ids else []
        return [item_from(record) for record in found if record is not None]

    def all(self) -> list[Item]:
        return self.changed_since(0).upserts

    def __len__(self) -> int:
        return int(self._client.hlen(self._keys[2]))

    def close(self) -> None:
        self._client.close()
