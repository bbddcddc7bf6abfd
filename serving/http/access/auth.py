"""API keys with scopes and rates; and publishable ones, which a storefront's pages may show."""

import hashlib
import ipaddress
import logging
import math
import re
import threading
from collections.abc import Mapping
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

from features.controls.shops import DEFAULT_SHOP, SHOP_NAME, Registered, ShopStatus
from serving.errors import ForbiddenError, RateLimitedError, ShopPausedError, UnauthenticatedError
from serving.http.access.rates import Rates

_LOG = logging.getLogger("vitrine.keys")


class Scope(StrEnum):
    """What a key may do."""

    RANK = "rank"
    EVENTS = "events"
    ITEMS = "items"
    ADMIN = "admin"
    SHOPPERS = "shoppers"  # what one shopper may ask for and decide, for all of them
    SHOPS = "shops"  # of the installation: which shops there are, and nothing in them


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
    shop: str = Field(DEFAULT_SHOP, pattern=SHOP_NAME)  # that it leads to

    @model_validator(mode="after")
    def _scopes_fit(self) -> "ApiKey":
        if self.publishable and self.scopes != {Scope.EVENTS}:
            raise ValueError(f"key '{self.name}': a publishable key has the scope events, no other")
        if Scope.SHOPS in self.scopes and self.shop != DEFAULT_SHOP:
            raise ValueError(f"key '{self.name}': the scope shops is of no single shop")
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


def keys_of(shops: Mapping[str, Registered]) -> list[ApiKey]:
    """Of registered shops; one that another release wrote in another form is left out."""
    keys = []
    for shop in shops.values():
        for name, told in shop.keys.items():
            try:
                keys.append(ApiKey.model_validate({**told, "name": name, "shop": shop.name}))
            except ValidationError:
                _LOG.warning("a key of the shop %s cannot be used", shop.name)
    return keys


class Keyring:
    """Knows the keys. Looking a hash up in a dict leaks no timing of the key itself.

    A key leads to a shop. Of a shop that is paused the keys are refused with 403, of one that is
    not registered they are unknown.
    """

    def __init__(self, keys: list[ApiKey]) -> None:
        self._of_file = keys
        self._registered: Mapping[str, Registered] = {}
        self._merging = threading.Lock()
        self._merge()
        self._rates = Rates()

    @classmethod
    def from_file(cls, path: Path) -> "Keyring":
        """The keys of a file; see `read_keys`."""
        return cls(read_keys(path))

    def replace(self, keys: list[ApiKey]) -> None:
        """From now on these keys of the file; what a key has used of its rate stays used."""
        with self._merging:
            self._of_file = keys
            self._merge()

    def follow(self, shops: Mapping[str, Registered]) -> None:
        """From now on these registered shops, with their keys beside those of the file."""
        with self._merging:
            self._registered = shops
            self._merge()

    def _merge(self) -> None:
        shops = self._registered
        keys = [*self._of_file, *keys_of(shops)]
        status = {name: shop.status for name, shop in shops.items()}
        status[DEFAULT_SHOP] = ShopStatus.ACTIVE
        by_status: dict[ShopStatus | None, dict[str, ApiKey]] = {each: {} for each in ShopStatus}
        for key in keys:
            by_status.setdefault(status.get(key.shop), {})[key.sha256] = key
        rates = ((name, shop.definition.get("rate_per_s")) for name, shop in shops.items())
        self._shop_rates = {name: rate for name, rate in rates if rate}
        self._paused = by_status[ShopStatus.PAUSED]
        self._keys = by_status[ShopStatus.ACTIVE]
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
        shop_rate = self._shop_rates.get(key.shop)
        if shop_rate:
            self._hit(f"shop {key.shop}", shop_rate, " of the shop")
        return Caller(key.name, key.scopes, key.shop, key.max_boost, key.publishable)

    def _find(self, authorization: str | None, url_key: str | None) -> ApiKey:
        if url_key is not None:
            key = self._known(hash_key(url_key))
            if key is None or key.publishable is None:
                raise UnauthenticatedError(
                    "a URL may hold a publishable key only; send another as a header"
                )
            return key
        kind, _, secret = (authorization or "").partition(" ")
        key = self._known(hash_key(secret.strip())) if kind.lower() == "bearer" else None
        if key is None:
            raise UnauthenticatedError("send a known key as 'Authorization: Bearer <key>'")
        return key

    def _known(self, sha256: str) -> ApiKey | None:
        key = self._keys.get(sha256)
        if key is None and sha256 in self._paused:
            raise ShopPausedError("the shop of this key is paused")
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
