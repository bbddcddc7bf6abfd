"""API keys with scopes and rates, and the pseudonyms that stand for shoppers' ids."""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from serving.errors import ForbiddenError, RateLimitedError, UnauthenticatedError
from serving.types import DEFAULT_SHOP


class Scope(StrEnum):
    """What a key may do."""

    RANK = "rank"
    EVENTS = "events"
    ITEMS = "items"
    ADMIN = "admin"


class ApiKey(BaseModel):
    """A key as configured: its hash, never the key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    scopes: frozenset[Scope]
    rate_per_s: int = Field(1000, ge=1)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the key's name, what it may do, and the shop that it leads to."""

    name: str
    scopes: frozenset[Scope]
    shop: str = DEFAULT_SHOP


def hash_key(key: str) -> str:
    """How a key is written in the key file."""
    return hashlib.sha256(key.encode()).hexdigest()


def read_keys(path: Path) -> list[ApiKey]:
    """A JSON list of ApiKey; raises OSError or ValidationError."""
    return TypeAdapter(list[ApiKey]).validate_json(path.read_bytes())


class Rates:
    """How fast each key goes, and what is too fast: the generic cell rate algorithm (ITU-T I.371).

    A key may spend a second's worth at once. Of a key one number is kept. (The library `limits`
    starts a thread for every hit: a tenth of the ingress's time.)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due_s: dict[str, float] = {}  # when a key that went at its rate would be due again

    def hit(self, key: str, rate_per_s: int) -> float:
        """Count one request; 0, or the seconds after which it may come again: then it is not
        counted.
        """
        now_s = self._clock()
        due_s = max(self._due_s.get(key, now_s), now_s)
        wait_s = due_s + 1 / rate_per_s - 1.0 - now_s
        if wait_s > 1e-9:  # sums of thirds and tenths are not exact
            return wait_s
        self._due_s[key] = due_s + 1 / rate_per_s
        return 0.0


class Keyring:
    """Knows the keys. Looking a hash up in a dict leaks no timing of the key itself."""

    def __init__(self, keys: list[ApiKey]) -> None:
        self.replace(keys)
        self._rates = Rates()

    @classmethod
    def from_file(cls, path: Path) -> "Keyring":
        """The keys of a file; see `read_keys`."""
        return cls(read_keys(path))

    def replace(self, keys: list[ApiKey]) -> None:
        """From now on these keys and no others; what a key has used of its rate stays used."""
        self._keys = {key.sha256: key for key in keys}

    def admit(self, authorization: str | None, scope: Scope) -> Caller:
        """Who sent an `Authorization: Bearer ...` header, if the key may use `scope` now.

        Raises UnauthenticatedError, ForbiddenError or RateLimitedError.
        """
        kind, _, secret = (authorization or "").partition(" ")
        key = self._keys.get(hash_key(secret.strip())) if kind.lower() == "bearer" else None
        if key is None:
            raise UnauthenticatedError("send a known key as 'Authorization: Bearer <key>'")
        if scope not in key.scopes:
            raise ForbiddenError(f"this key has no scope '{scope}'")
        wait_s = self._rates.hit(key.sha256, key.rate_per_s)
        if wait_s:
            raise RateLimitedError(
                f"over {key.rate_per_s} requests per second", max(1, math.ceil(wait_s))
            )
        return Caller(key.name, key.scopes)
