"""API keys with scopes and rates; and publishable ones, which a storefront's pages may show."""

import hashlib
import ipaddress
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from serving.errors import ForbiddenError, RateLimitedError, UnauthenticatedError
from serving.types import DEFAULT_SHOP


class Scope(StrEnum):
    """What a key may do."""

    RANK = "rank"
    EVENTS = "events"
    ITEMS = "items"
    ADMIN = "admin"


def _origin(text: str) -> str:
    """As a browser writes it, since the two are compared letter by letter."""
    found = re.fullmatch(r"(https?)://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", text)
    if found is None or found.groups() in (("http", "80"), ("https", "443")):
        raise ValueError(
            "an origin is scheme://host[:port], in lower case, without a path and the usual port"
        )
    return text


class Publishable(BaseModel):
    """What holds of a key that anyone may see. It tells events, and only from these origins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    origins: frozenset[Annotated[str, AfterValidator(_origin)]] = Field(min_length=1)
    address_rate_per_s: int = Field(20, ge=1)  # of one client address
    user_ids: bool = False  # its events may name shoppers, not only their sessions


class ApiKey(BaseModel):
    """A key as configured: its hash, never the key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    scopes: frozenset[Scope]
    rate_per_s: int = Field(1000, ge=1)
    max_boost: float = Field(0.0, ge=0, le=10)  # of a request's own boosts; 0: it may have none
    publishable: Publishable | None = None  # None: a secret

    @model_validator(mode="after")
    def _tells_events_only(self) -> "ApiKey":
        if self.publishable and self.scopes != {Scope.EVENTS}:
            raise ValueError(f"key '{self.name}': a publishable key has the scope events, no other")
        return self


@dataclass(frozen=True, slots=True)
class Sender:
    """What a request says of its sender, beside a header with a key."""

    address: str = ""  # of the client: serving/http/access/peers.py
    origin: str | None = None  # of the page, as a browser tells it
    url_key: str | None = None  # `?key=`


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the key's name, what it may do, and the shop that it leads to."""

    name: str
    scopes: frozenset[Scope]
    shop: str = DEFAULT_SHOP
    max_boost: float = 0.0
    publishable: Publishable | None = None  # not None: anyone could have sent this


def hash_key(key: str) -> str:
    """How a key is written in the key file."""
    return hashlib.sha256(key.encode()).hexdigest()


def read_keys(path: Path) -> list[ApiKey]:
    """A JSON list of ApiKey; raises OSError or ValidationError."""
    return TypeAdapter(list[ApiKey]).validate_json(path.read_bytes())


def what_is_wrong(error: OSError | ValidationError) -> str:
    """Our own words if there are any; else only the kind of error, as pydantic's quote the file."""
    problems = error.errors(include_input=False) if isinstance(error, ValidationError) else []
    ours = [each["msg"] for each in problems if each["type"] == "value_error"]
    return "; ".join(ours) or type(error).__name__


_MIN_KEPT = 10_000


class Rates:
    """How fast each key goes, and what is too fast: the generic cell rate algorithm (ITU-T I.371).

    A key may spend a second's worth at once. Of a key one number is kept, until it says nothing any
    more. (The library `limits` starts a thread for every hit: a tenth of the ingress's time.)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due_s: dict[str, float] = {}  # when a key that went at its rate would be due again
        self._full = _MIN_KEPT  # addresses come without end: at so many, look for what is over

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
        if len(self._due_s) > self._full:
            self._due_s = {each: due_s for each, due_s in self._due_s.items() if due_s > now_s}
            self._full = max(_MIN_KEPT, 2 * len(self._due_s))
        return 0.0

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._due_s)


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
        self._origins = frozenset(
            origin for key in keys if key.publishable for origin in key.publishable.origins
        )

    def lists(self, origin: str | None) -> bool:
        """Whether some publishable key may be used by pages of `origin`."""
        return origin in self._origins

    def admit(
        self, authorization: str | None, scope: Scope, sender: Sender | None = None
    ) -> Caller:
        """Who sent an `Authorization: Bearer ...` header, if the key may use `scope` now.

        A publishable key may stand in the URL instead. Raises UnauthenticatedError, ForbiddenError
        or RateLimitedError.
        """
        sender = sender or Sender()
        key = self._find(authorization, sender.url_key)
        if scope not in key.scopes:
            raise ForbiddenError(f"this key has no scope '{scope}'")
        if key.publishable:
            self._admit_page(key.sha256, key.publishable, sender)
        self._hit(key.sha256, key.rate_per_s, "")
        return Caller(key.name, key.scopes, max_boost=key.max_boost, publishable=key.publishable)

    def _find(self, authorization: str | None, url_key: str | None) -> ApiKey:
        if url_key is not None:
            key = self._keys.get(hash_key(url_key))
            if key is None or key.publishable is None:
                raise UnauthenticatedError(
                    "a URL may hold a publishable key only; send another as a header"
                )
            return key
        kind, _, secret = (authorization or "").partition(" ")
        key = self._keys.get(hash_key(secret.strip())) if kind.lower() == "bearer" else None
        if key is None:
            raise UnauthenticatedError("send a known key as 'Authorization: Bearer <key>'")
        return key

    def _admit_page(self, key: str, terms: Publishable, sender: Sender) -> None:
        if sender.origin not in terms.origins:
            raise ForbiddenError("this key is for pages of its own origins")
        # Before the key's own rate: one address must not use that up for all others.
        self._hit(f"{key} {_place(sender.address)}", terms.address_rate_per_s, " from one address")

    def _hit(self, key: str, rate_per_s: int, whose: str) -> None:
        wait_s = self._rates.hit(key, rate_per_s)
        if wait_s:
            raise RateLimitedError(
                f"over {rate_per_s} requests per second{whose}", max(1, math.ceil(wait_s))
            )


def _place(address: str) -> str:
    """An address, or of IPv6 the network: a line gets 2**64 addresses (RFC 6177)."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
