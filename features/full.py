"""A store that has no room: Redis at its `maxmemory`, a file on a full disk."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import OutOfMemoryError


class StoreFullError(Exception):
    """Nothing was written, and reading goes on. There may be room again soon."""


@contextmanager
def told_when_full() -> Iterator[None]:
    """Around writes to Redis: one that has no room raises StoreFullError."""
    try:
        yield
    except OutOfMemoryError as error:
        raise StoreFullError("Redis has reached its maxmemory") from error
