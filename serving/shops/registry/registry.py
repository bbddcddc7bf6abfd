"""Changes of what is registered: each is compared with what stood there, so none is lost."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from features.controls.shops import DEFAULT_SHOP, SHOPS, Registered, ShopStatus, registered
from features.controls.store import Controls
from serving.errors import ConflictError, UnknownKeyError, UnknownShopError
from serving.shops.registry.definition import ShopDefinition

MAX_SHOPS, MAX_KEYS = 100, 20
_TRIES = 10


class Registry:
    """The registered shops in the controls of an installation. Everything here blocks.

    check: raises InvalidRequestError for a definition that this installation does not allow
    """

    def __init__(
        self,
        controls: Controls,
        clock: Callable[[], float] = time.time,
        check: Callable[[ShopDefinition], None] = lambda _: None,
    ) -> None:
        self._controls, self._clock, self._check = controls, clock, check

    def all(self) -> dict[str, Registered]:
        """Those that are there, by name; and those that are being removed."""
        return registered(self._controls)

    def get(self, name: str) -> Registered:
        """One of them; raises UnknownShopError for what is removed, too."""
        shop = self.all().get(name)
        if shop is None or shop.status is ShopStatus.REMOVED:
            raise UnknownShopError("name: no such shop is registered")
        return shop

    def put(self, name: str, definition: ShopDefinition) -> Registered:
        """Register a shop, or define it otherwise; durable when it returns. Raises ConflictError,
        StoreFullError.
        """
        self._check(definition)
        told = definition.model_dump(mode="json", exclude_unset=True)
        status = ShopStatus.PAUSED if definition.paused else ShopStatus.ACTIVE

        def change(shop: Registered | None) -> Registered:
            if name == DEFAULT_SHOP:
                raise ConflictError(f"name: '{DEFAULT_SHOP}' is configured by files")
            if shop is None:
                if len(self.all()) >= MAX_SHOPS:
                    raise ConflictError(f"name: there are {MAX_SHOPS} shops already")
                # A name that is used again leads to nothing of before, whoever is late.
                space = f"{name}-{secrets.token_hex(4)}"
                return Registered(name, space, status, self._now_ms(), told, {})
            if shop.status is ShopStatus.REMOVED:
                raise ConflictError("name: a shop of this name is being removed; try again later")
            return replace(shop.now(status, self._now_ms()), definition=told)

        return self._change(name, change)

    def remove(self, name: str) -> Registered:
        """Nobody's any more; ingest deletes what is kept. Raises UnknownShopError,
        ConflictError.
        """

        def change(shop: Registered | None) -> Registered:
            return _there(name, shop).now(ShopStatus.REMOVED, self._now_ms())

        return self._change(name, change)

    def put_key(self, name: str, key_name: str, key: Mapping[str, Any]) -> Registered:
        """Add or replace a key of a shop. key: JSON, with the hash and never the key."""

        def change(shop: Registered | None) -> Registered:
            shop = _there(name, shop)
            if key_name not in shop.keys and len(shop.keys) >= MAX_KEYS:
                raise ConflictError(f"key_name: the shop has {MAX_KEYS} keys already")
            return replace(shop, keys={**shop.keys, key_name: key})

        return self._change(name, change)

    def delete_key(self, name: str, key_name: str) -> Registered:
        """Take a key away; raises UnknownKeyError."""

        def change(shop: Registered | None) -> Registered:
            shop = _there(name, shop)
            if key_name not in shop.keys:
                raise UnknownKeyError("key_name: the shop has no such key")
            left = {each: key for each, key in shop.keys.items() if each != key_name}
            return replace(shop, keys=left)

        return self._change(name, change)

    def _change(self, name: str, change: Callable[[Registered | None], Registered]) -> Registered:
        for _ in range(_TRIES):
            before = self._controls.all(SHOPS).get(name)
            after = change(None if before is None else _read(name, before))
            if self._controls.swap(SHOPS, name, before, after.document):
                return after
        raise ConflictError("name: others change this shop, too; try again")

    def _now_ms(self) -> int:
        return int(self._clock() * 1e3)


def _there(name: str, shop: Registered | None) -> Registered:
    if name == DEFAULT_SHOP:
        raise ConflictError(f"name: '{DEFAULT_SHOP}' is configured by files")
    if shop is None or shop.status is ShopStatus.REMOVED:
        raise UnknownShopError("name: no such shop is registered")
    return shop


def _read(name: str, told: Mapping[str, Any]) -> Registered:
    try:
        return Registered.of(name, told)
    except (ValueError, KeyError):
        raise ConflictError("name: another release has written this shop") from None
