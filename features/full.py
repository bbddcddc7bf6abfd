"""A store that takes nothing: it has no room (Redis at its `maxmemory`, a file on a full disk), or
it does not answer.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError
from redis.exceptions import TimeoutError as RedisTimeoutError

# What clients raise when a server is away, starts, or stands still. What was asked may be done.
AWAY = (RedisConnectionError, RedisTimeoutError, ConnectionError, TimeoutError)


class StoreFullError(Exception):
    """Nothing was written, and reading goes on. There may be room again soon."""


@contextmanager
def told_when_full() -> Iterator[None]:
    """Around writes to Redis: one that has no room raises StoreFullError."""
    try:
        yield
    except OutOfMemoryError as error:
        raise StoreFullError("Redis has reached its maxmemory") from error
