"""Shops of an installation, and their keys."""

from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from serving.http.access.auth import Publishable, Scope
from serving.http.schemas.wire import Wire
from serving.shops.registry.definition import MOST_PER_S, ShopDefinition

KEY_NAME = "^[A-Za-z0-9_.-]{1,64}$"
ShopScope = Literal["rank", "events", "items", "admin", "shoppers"]


class KeyIn(Wire):
    """What a new key may do, in its own shop alone."""

    # A list is what JSON has for a set.
    model_config = ConfigDict(strict=False)

    scopes: frozenset[ShopScope] = Field(min_length=1)
    rate_per_s: int = Field(
        1000, ge=1, le=MOST_PER_S, strict=True, description="By ingress replica."
    )
    max_boost: float = Field(
        0.0, ge=0, le=10, description="Of a request's own boosts; 0: it may have none."
    )
    publishable: Publishable | None = Field(
        None, description="Of a key that anyone may see (docs/access.md); null: it is a secret."
    )

    @model_validator(mode="after")
    def _tells_events_only(self) -> "KeyIn":
        if self.publishable and self.scopes != {Scope.EVENTS.value}:
            raise ValueError("publishable: such a key has the scope events, no other")
        return self


class KeyOut(KeyIn):
    """A key as it is kept, without the key."""

    name: str


class KeyMade(KeyOut):
    """A key that was made."""

    shop: str
    key: str = Field(description="Send it as `Authorization: Bearer <key>`; it is told only now.")


class ShopOut(Wire):
    """A shop as it is registered."""

    name: str
    status: Literal["active", "paused", "removing"]
    since_ms: int | None = Field(description="Unix milliseconds; null: it is the default shop.")
    open: bool = Field(description="Whether the replica that answers has it.")
    catalog_items: int | None = Field(description="Of that replica; null: it is not open there.")
    definition: ShopDefinition | None = Field(
        description="null: the default shop, which is configured by files."
    )
    keys: list[KeyOut] = Field(description="That the API made; not those of the key file.")


class ShopsOut(Wire):
    """All shops."""

    shops: list[ShopOut]
