"""Catalogue entries."""

import math
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response

from features.catalog.item import CATEGORY_SEPARATOR, Item
from serving.http.auth import Keyring, Scope
from serving.http.bodies import json_response, read_body
from serving.http.dependencies import PathId, Scoped
from serving.http.openapi import takes
from serving.http.schemas.items import ItemIn, ItemsRequest
from serving.shops.shop import Shops


def add_items(app: FastAPI, shops: Shops, keys: Keyring, clock: Callable[[], float]) -> None:
    """Register the endpoints; a key needs the scope `items`."""
    items = Depends(Scoped(keys, Scope.ITEMS))

    @app.put("/v1/items", status_code=202, openapi_extra=takes(ItemsRequest, None, status=202))
    async def put_items(request: Request, caller: Annotated[Any, items]) -> Response:
        """Add or replace items; rankable within 60 s."""
        body = await read_body(request, ItemsRequest)
        now_s = clock()
        await shops.of(caller.shop).intake.upsert([_item(item, now_s) for item in body.items])
        return json_response({"accepted": len(body.items)}, 202)

    @app.delete("/v1/items/{item_id:id}", status_code=204)
    async def delete_item(item_id: PathId, caller: Annotated[Any, items]) -> Response:
        """Never rank this item again."""
        await shops.of(caller.shop).intake.delete_item(item_id)
        return Response(status_code=204)


def _item(item: ItemIn, now_s: float) -> Item:
    """The entry as it is kept: fields of one name are the same."""
    fields = dict(item)
    fields["category"] = _path(item.category)
    fields["price"] = math.nan if item.price is None else item.price
    fields["attributes"] = dict(item.attributes)
    return Item(created_s=now_s, **fields)  # the catalogue keeps an older time


def _path(category: str) -> str:
    """The category path in the catalogue's own writing; nothing but separators is no category."""
    return CATEGORY_SEPARATOR.join(filter(None, (name.strip() for name in category.split(">"))))
