"""The shops of an installation: registered, defined, paused, removed; and their keys."""

import secrets
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Request, Response

from features.controls.shops import DEFAULT_SHOP, SHOP_NAME, Registered, ShopStatus
from serving.http.access.auth import Keyring, Scope, hash_key
from serving.http.bodies import json_response, read_body
from serving.http.dependencies import Scoped
from serving.http.openapi import gives, takes
from serving.http.schemas.operations import Accepted
from serving.http.schemas.operator.shops import KEY_NAME, KeyIn, KeyMade, ShopOut, ShopsOut
from serving.shops.registry.definition import ShopDefinition
from serving.shops.registry.registry import Registry
from serving.shops.shop import Shops
from serving.shops.waiting_room import WaitingRoom

_Name = Annotated[str, Path(pattern=SHOP_NAME)]
_KeyName = Annotated[str, Path(pattern=KEY_NAME)]
_BY_DEFAULT = ShopDefinition().model_dump(mode="json")


def add_shops(app: FastAPI, registry: Registry, shops: Shops, keys: Keyring) -> None:
    """Register the endpoints; a key needs the scope `shops`, and sees nothing in a shop."""
    operator = Depends(Scoped(keys, Scope.SHOPS))
    room = WaitingRoom("shops", 2, 8)

    @app.get("/v1/shops", openapi_extra=gives(ShopsOut))
    async def list_shops(caller: Annotated[Any, operator]) -> Response:
        """All shops of this installation, the default one first."""
        found = await room.do(registry.all)
        told = [_told(shop, shops) for _, shop in sorted(found.items())]
        return json_response({"shops": [_default(shops), *told]})

    @app.get("/v1/shops/{name}", openapi_extra=gives(ShopOut))
    async def get_shop(name: _Name, caller: Annotated[Any, operator]) -> Response:
        """One shop."""
        if name == DEFAULT_SHOP:
            return json_response(_default(shops))
        shop = await room.do(lambda: registry.get(name))
        return json_response(_told(shop, shops))

    @app.put("/v1/shops/{name}", openapi_extra=takes(ShopDefinition, ShopOut))
    async def put_shop(name: _Name, request: Request, caller: Annotated[Any, operator]) -> Response:
        """Add a shop, or define it otherwise; what the definition leaves out is as by default.

        It is kept when this answers, and all replicas follow within seconds. A shop that changes
        answers as before until then.
        """
        definition = await read_body(request, ShopDefinition)
        shop = await room.do(lambda: registry.put(name, definition))
        return json_response(_told(shop, shops))

    @app.delete("/v1/shops/{name}", status_code=202, openapi_extra=gives(Accepted, 202))
    async def delete_shop(name: _Name, caller: Annotated[Any, operator]) -> Response:
        """Remove a shop for good: its keys are unknown within a second, and all that is kept of it
        is deleted.
        """
        await room.do(lambda: registry.remove(name))
        return json_response({"accepted": 1}, 202)

    @app.put("/v1/shops/{name}/keys/{key_name}", openapi_extra=takes(KeyIn, KeyMade))
    async def put_shop_key(
        name: _Name, key_name: _KeyName, request: Request, caller: Annotated[Any, operator]
    ) -> Response:
        """Make a key for a shop: this answer is the only place where it stands.

        A key of this name that was there before is no key any more.
        """
        given = await read_body(request, KeyIn)
        secret = secrets.token_urlsafe(32)
        key = given.model_dump(mode="json")
        await room.do(lambda: registry.put_key(name, key_name, {**key, "sha256": hash_key(secret)}))
        return json_response({"shop": name, "name": key_name, **key, "key": secret})

    @app.delete("/v1/shops/{name}/keys/{key_name}", status_code=204)
    async def delete_shop_key(
        name: _Name, key_name: _KeyName, caller: Annotated[Any, operator]
    ) -> Response:
        """Take a key away: it is unknown within a second."""
        await room.do(lambda: registry.delete_key(name, key_name))
        return Response(status_code=204)


def _told(shop: Registered, shops: Shops) -> dict[str, Any]:
    return {
        "name": shop.name,
        "status": "removing" if shop.status is ShopStatus.REMOVED else shop.status.value,
        "since_ms": shop.at_ms,
        **_here(shop.name, shops),
        "definition": {**_BY_DEFAULT, **shop.definition},
        "keys": [
            {"name": name, **{each: key[each] for each in key if each != "sha256"}}
            for name, key in sorted(shop.keys.items())
        ],
    }


def _default(shops: Shops) -> dict[str, Any]:
    about = {"name": DEFAULT_SHOP, "status": ShopStatus.ACTIVE.value, "since_ms": None}
    return {**about, **_here(DEFAULT_SHOP, shops), "definition": None, "keys": []}


def _here(name: str, shops: Shops) -> dict[str, Any]:
    """What this replica has of it."""
    found = next((len(shop.items.table) for shop in shops.all() if shop.name == name), None)
    return {"open": found is not None, "catalog_items": found}
