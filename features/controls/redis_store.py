"""The controls of a cluster, in Redis: the contract of `features.controls.store.Controls`."""

from collections.abc import Mapping
from typing import Any

import orjson
from redis import Redis

from features.controls.store import KEPT_MINUTES, document_bytes
from features.full import told_when_full

# KEYS hash; ARGV key, document that must stand there ('' = none), new document.
_SWAP = """
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""


class RedisControls:
    """`Controls` in the Redis of `client`, under `prefix`.

    A kind of documents is a hash. A minute of a tally is a hash that expires; a sorted set by name
    says which minutes there are.
    """

    def __init__(self, client: Redis, prefix: str = "{vitrine}") -> None:
        self._client: Any = client
        self._prefix = prefix
        self._swap = client.register_script(_SWAP)

    def put(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        with told_when_full():
            self._client.hset(self._kind(kind), key, document_bytes(document))

    def put_all(self, kind: str, documents: Mapping[str, Mapping[str, Any]]) -> None:
        if documents:
            mapping = {key: document_bytes(each) for key, each in documents.items()}
            with told_when_full():
                self._client.hset(self._kind(kind), mapping=mapping)

    def swap(
        self, kind: str, key: str, before: Mapping[str, Any] | None, document: Mapping[str, Any]
    ) -> bool:
        expected = b"" if before is None else document_bytes(before)
        with told_when_full():
            return bool(self._swap([self._kind(kind)], [key, expected, document_bytes(document)]))

    def delete(self, kind: str, key: str) -> None:
        self._client.hdel(self._kind(kind), key)

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        found = self._client.hgetall(self._kind(kind))
        return {key.decode(): orjson.loads(document) for key, document in sorted(found.items())}

    def add(
        self, name: str, minute: int, counts: Mapping[str, float], kept: int = KEPT_MINUTES
    ) -> None:
        self.add_all(name, {minute: counts}, kept)

    def add_all(
        self, name: str, counts: Mapping[int, Mapping[str, float]], kept: int = KEPT_MINUTES
    ) -> None:
        if not counts:
            return
        minutes = self._minutes(name)
        with told_when_full(), self._client.pipeline(transaction=True) as pipe:
            for minute, of_minute in counts.items():
                counted = self._minute(name, minute)
                for field, amount in of_minute.items():
                    pipe.hincrbyfloat(counted, field, amount)
                pipe.expire(counted, kept * 60)
                pipe.zadd(minutes, {str(minute): minute})
            pipe.zremrangebyscore(minutes, "-inf", max(counts) - kept)
            pipe.expire(minutes, kept * 60)
            pipe.execute()

    def read(self, name: str, since_minute: int) -> dict[int, dict[str, float]]:
        minutes = self._client.zrangebyscore(self._minutes(name), since_minute, "+inf")
        with self._client.pipeline(transaction=False) as pipe:
            for minute in minutes:
                pipe.hgetall(self._minute(name, int(minute)))
            counted = pipe.execute()
        return {
            int(minute): {field.decode(): float(amount) for field, amount in counts.items()}
            for minute, counts in zip(minutes, counted, strict=True)
            if counts
        }

    def compact(self) -> bool:
        return True  # an append-only file is Redis's own to rewrite

    def close(self) -> None:
        self._client.close()

    def _kind(self, kind: str) -> str:
        return f"{self._prefix}:documents:{kind}"

    def _minutes(self, name: str) -> str:
        return f"{self._prefix}:tally:{name}"

    def _minute(self, name: str, minute: int) -> str:
        return f"{self._prefix}:tally:{name}:{minute}"
