"""The catalogue of a cluster, in Redis: the contract of `features.catalog.store.Catalog`."""

from collections.abc import Sequence
from typing import Any

from redis import Redis

from features.catalog.item import Item
from features.catalog.store import CatalogChanges, item_bytes, item_from

# KEYS change counter, changes, records; ARGV pairs of id and record ('' = deleted).
_WRITE = """
local change = redis.call('INCR', KEYS[1])
for i = 1, #ARGV, 2 do
  redis.call('ZADD', KEYS[2], change, ARGV[i])
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[3], ARGV[i])
  else redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
end
return change
"""


class RedisCatalog:
    """`Catalog` in the Redis of `client`, under `prefix`."""

    def __init__(self, client: Redis, prefix: str = "{vitrine}") -> None:
        self._client: Any = client
        self._keys = [f"{prefix}:{name}" for name in ("catalog_change", "catalog_changes", "items")]
        self._script = client.register_script(_WRITE)

    def upsert(self, items: Sequence[Item]) -> int:
        if not items:
            return int(self._client.get(self._keys[0]) or 0)
        pairs = [part for item in items for part in (item.item_id, item_bytes(item))]
        return int(self._script(self._keys, pairs))

    def delete(self, item_id: str) -> bool:
        if not self._client.hexists(self._keys[2], item_id):
            return False
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

    def all(self) -> list[Item]:
        return self.changed_since(0).upserts

    def __len__(self) -> int:
        return int(self._client.hlen(self._keys[2]))

    def close(self) -> None:
        self._client.close()
