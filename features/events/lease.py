"""Who may write what the log is folded into: one process at a time, as a contract in two forms.

`FileLease` refuses a second process on one state folder. `RenewedLease` lets it stand by: it gets
the lease when the holder gives it back, or has not renewed it for a while.
"""

import fcntl
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from redis import Redis

LEASE_S = 10.0  # how long the lease of a process that was killed runs on
_RENEWALS = 4  # in that time
_MARGIN = 0.2  # of that time: with less left nothing is written any more
_log = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """Another process may be writing by now: what is cached here is worth nothing."""


class Lease(Protocol):
    """The right to write. Once taken it is kept until `release`, or until it is lost."""

    @property
    def token(self) -> str:
        """Names this time of holding it, for the log to compare; "": there is nothing to compare.

        Raises LeaseLostError when it is not held.
        """
        ...

    def acquire(self) -> bool:
        """Take it; False: another process holds it. Raises what the store raises."""
        ...

    def check(self) -> None:
        """Raise LeaseLostError unless it is held, and for a while yet. Asks nobody."""
        ...

    def release(self) -> None:
        """Give it back, so that another process gets it at once; no error when it is not held."""
        ...

    def close(self) -> None:
        """Release it, and give back files and connections."""
        ...


class Unshared:
    """`Lease` where nothing else can be writing."""

    token = ""

    def acquire(self) -> bool:
        return True

    def check(self) -> None:
        pass

    def release(self) -> None:
        pass

    def close(self) -> None:
        pass


UNSHARED: Lease = Unshared()


class FileLease(Unshared):
    """`Lease` of the file at `path`, held from the start: BlockingIOError when another one is."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w")
        try:
            # The system releases it with the process, killed or not.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()


class LeaseKey(Protocol):
    """What a server keeps of a lease: who holds it, for as long as it is renewed."""

    def take(self, token: str) -> bool:
        """Whether nobody held it; then `token` does."""
        ...

    def renew(self, token: str) -> bool:
        """Whether `token` still holds it; then for another while."""
        ...

    def give_back(self, token: str) -> None:
        """Nobody holds it, if it was `token`."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


@dataclass(slots=True)
class _Term:
    until_s: float  # by the lease's clock
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    over: threading.Event = field(default_factory=threading.Event)


class RenewedLease:
    """`Lease` as a key that runs out `ttl_s` after it was taken or renewed.

    A thread renews it: one batch, or an hour's maintenance, may take longer than it lasts. The time
    left is counted from before each request, so it never ends here later than at the server.
    """

    def __init__(
        self, key: LeaseKey, ttl_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._key, self._ttl_s, self._clock = key, ttl_s, clock
        self._term: _Term | None = None

    @property
    def token(self) -> str:
        term = self._term  # once: another thread may give it back in between
        if term is None:
            raise LeaseLostError
        return term.token

    def acquire(self) -> bool:
        self.release()
        term = _Term(self._clock() + self._ttl_s)
        if not self._key.take(term.token):
            return False
        self._term = term
        threading.Thread(target=self._keep, args=(term,), name="lease", daemon=True).start()
        return True

    def check(self) -> None:
        term = self._term
        if term is None or self._clock() > term.until_s - _MARGIN * self._ttl_s:
            raise LeaseLostError

    def release(self) -> None:
        term, self._term = self._term, None
        if term is not None:
            term.over.set()
            self._key.give_back(term.token)

    def close(self) -> None:
        self.release()
        self._key.close()

    def _keep(self, term: _Term) -> None:
        while not term.over.wait(self._ttl_s / _RENEWALS):
            asked_s = self._clock()
            try:
                kept = self._key.renew(term.token)
            except Exception:
                _log.exception("the lease was not renewed; trying again")
                continue
            if not kept:
                term.until_s = 0.0
                return
            term.until_s = asked_s + self._ttl_s


# KEYS lease; ARGV token, milliseconds. Returns whether it is still the caller's.
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


class RedisLeaseKey:
    """`LeaseKey` in the Redis of `client`, under `prefix`."""

    def __init__(self, client: Redis, prefix: str = "{vitrine}", ttl_s: float = LEASE_S) -> None:
        self._client: Any = client
        self._key, self._ttl_ms = f"{prefix}:lease", int(ttl_s * 1e3)
        self._renew = client.register_script(_RENEW)
        self._release = client.register_script(_RELEASE)

    def take(self, token: str) -> bool:
        return bool(self._client.set(self._key, token, nx=True, px=self._ttl_ms))

    def renew(self, token: str) -> bool:
        return bool(self._renew([self._key], [token, self._ttl_ms]))

    def give_back(self, token: str) -> None:
        self._release([self._key], [token])

    def close(self) -> None:
        self._client.close()


def redis_lease(
    client: Redis, ttl_s: float = LEASE_S, clock: Callable[[], float] = time.monotonic
) -> RenewedLease:
    """A lease in the Redis of `client`."""
    return RenewedLease(RedisLeaseKey(client, ttl_s=ttl_s), ttl_s, clock)
