"""The catalogue: items read, listed, put, patched, imported and deleted."""

import asyncio
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from features.catalog.item import Item
from serving.errors import InvalidRequestError, UnknownItemError
from serving.http.access.auth import Caller, Keyring, Scope
from serving.http.bodies import json_response, read_body, stages_of
from serving.http.dependencies import PathId, Scoped
from serving.http.openapi import gives, takes
from serving.http.routes.item_changes import Change, judge, shown
from serving.http.routes.item_import import ItemImport
from serving.http.schemas.items import (
    ImportResponse,
    ItemChange,
    ItemIn,
    ItemOut,
    ItemPage,
    ItemPageQuery,
    ItemPatch,
    ItemsPatch,
    ItemsPut,
    ItemsRequest,
    ItemsResponse,
)
from serving.shops.shop import Shop, Shops
from serving.types import Stage

_MERGE_PATCH = "application/merge-patch+json"
_PATCHES = (_MERGE_PATCH, "application/json")
_CURLS = "application/x-www-form-urlencoded"  # what curl says when it is not told
_NO_ITEM = "item_id: the catalogue has no such item"


class ItemRoutes:
    """The endpoints of the catalogue. max_line: bytes of a line of an import."""

    def __init__(self, shops: Shops, max_line: int, clock: Callable[[], float]) -> None:
        self._shops = shops
        self._import = ItemImport(max_line, clock)
        self._clock = clock

    def add_to(self, app: FastAPI, keys: Keyring) -> None:
        """Register them; a key needs the scope `items`."""
        items = Depends(Scoped(keys, Scope.ITEMS))

        @app.get("/v1/items", openapi_extra=gives(ItemPage))
        async def list_items(
            query: Annotated[ItemPageQuery, Query()], caller: Annotated[Any, items]
        ) -> Response:
            """All items by id, a page at a time."""
            shop = self._shops.of(caller.shop)
            found = await shop.upkeep.page(_after(query.cursor), query.limit + 1)
            page, more = found[: query.limit], len(found) > query.limit
            cursor = urlsafe_b64encode(page[-1].item_id.encode()).decode() if more else None
            return json_response({"items": await _shown(shop, page), "cursor": cursor})

        @app.put("/v1/items", status_code=202, openapi_extra=takes(ItemsPut, ItemsResponse, 202))
        async def put_items(request: Request, caller: Annotated[Any, items]) -> Response:
            """Add or replace items; what an entry leaves out is empty."""
            return await self._write(request, caller, ItemIn)

        @app.patch(
            "/v1/items", status_code=202, openapi_extra=takes(ItemsPatch, ItemsResponse, 202)
        )
        async def patch_items(request: Request, caller: Annotated[Any, items]) -> Response:
            """Change items; what an entry leaves out stays."""
            _require_patch(request)
            return await self._write(request, caller, ItemChange)

        @app.post("/v1/items/import", openapi_extra=self._import.document)
        async def import_items(request: Request, caller: Annotated[Any, items]) -> Response:
            """Add or replace any number of items, one JSON object a line."""
            shop = self._shops.of(caller.shop)
            done: ImportResponse = await self._import.take(request.stream(), shop, self._shops)
            return json_response(done.model_dump())

        @app.get("/v1/items/{item_id:id}", openapi_extra=gives(ItemOut))
        async def get_item(item_id: PathId, caller: Annotated[Any, items]) -> Response:
            """One item, as it was last written."""
            shop = self._shops.of(caller.shop)
            item = await shop.upkeep.get(item_id)
            if item is None:
                raise UnknownItemError(_NO_ITEM)
            return json_response((await _shown(shop, [item]))[0])

        # Named by one of its types: generators of clients make two arguments of two.
        patch = takes(ItemPatch, ItemOut, media=_MERGE_PATCH)

        @app.patch("/v1/items/{item_id:id}", openapi_extra=patch)
        async def patch_item(
            request: Request, item_id: PathId, caller: Annotated[Any, items]
        ) -> Response:
            """Change one item: a JSON merge patch (RFC 7396).

            `application/json` is taken too.
            """
            _require_patch(request)
            body = await read_body(request, ItemPatch)
            if body.item_id not in (None, item_id):
                raise InvalidRequestError("item_id: not that of the path; an item keeps its id")
            shop = self._shops.of(caller.shop)
            change = Change(body, shop.items.table.prices)
            await shop.upkeep.edit([(item_id, change)])
            if change.made is None:
                raise _REFUSALS[change.code](change.detail)
            return json_response((await _shown(shop, [change.made]))[0])

        @app.delete("/v1/items/{item_id:id}", status_code=204)
        async def delete_item(item_id: PathId, caller: Annotated[Any, items]) -> Response:
            """Never rank this item again."""
            await self._shops.of(caller.shop).upkeep.delete(item_id)
            return Response(status_code=204)

    async def _write(
        self, request: Request, caller: Caller, kind: type[ItemIn] | type[ItemChange]
    ) -> Response:
        body = await read_body(request, ItemsRequest)
        shop = self._shops.of(caller.shop)
        prices = shop.items.table.prices
        with stages_of(request).stage(Stage.VALIDATE):
            # Megabytes of items take a while: others go on meanwhile. As JSON again: strict
            # validation takes a time from JSON, not from Python's str.
            judged = await asyncio.to_thread(
                lambda: judge(kind, enumerate(map(to_json, body.items)), prices, self._clock())
            )
        accepted = await judged.write(shop.upkeep)
        rejected = [
            {"index": index, "code": code, "detail": detail}
            for index, (code, detail) in sorted(judged.refused.items())
        ]
        return json_response({"accepted": accepted, "rejected": rejected}, 202)


async def _shown(shop: Shop, items: Sequence[Item]) -> list[dict[str, Any]]:
    """Bodies of ItemOut, with what is written on the pictures."""
    texts: dict[str, str] = {}
    if shop.pictures is not None:
        texts = await shop.pictures.texts([item.item_id for item in items])
    return [shown(item, texts.get(item.item_id)) for item in items]


_REFUSALS = {"unknown_item": UnknownItemError, "invalid_item": InvalidRequestError}


def _require_patch(request: Request) -> None:
    """415 for another kind of patch, which would mean something else."""
    kind = request.headers.get("content-type", _MERGE_PATCH).partition(";")[0].strip().lower()
    if kind not in (*_PATCHES, _CURLS):
        detail = f"content-type: {kind[:64]} is not taken, {' and '.join(_PATCHES)} are"
        raise HTTPException(415, detail, {"accept-patch": ", ".join(_PATCHES)})


def _after(cursor: str | None) -> str:
    try:
        return b64decode((cursor or "").encode(), b"-_", validate=True).decode()
    except ValueError:
        raise InvalidRequestError("cursor: not one that an answer gave") from None
