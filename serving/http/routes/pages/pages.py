"""A composed page: the wire to what is asked, and its shelves to the wire."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Request, Response

from serving.errors import UnknownPageError
from serving.http.access.auth import Keyring, Scope
from serving.http.bodies import json_response, read_body, stages_of
from serving.http.dependencies import Scoped
from serving.http.openapi import takes
from serving.http.routes.answers import response
from serving.http.routes.asking import Contexts, filters_of
from serving.http.schemas.explanation import explain_of
from serving.http.schemas.pages.page import PageRequest, PageResponse
from serving.ranking.placements.composer import PageComposer
from serving.ranking.placements.page import ComposedPage, PageAsked, ShelfOmitted, ShelfShown
from serving.shops.shop import Shops


class PageRoutes:
    """The endpoint that answers all shelves of a page."""

    def __init__(self, composer: PageComposer, shops: Shops, contexts: Contexts) -> None:
        self._composer = composer
        self._shops = shops
        self._contexts = contexts

    def add_to(self, app: FastAPI, keys: Keyring) -> None:
        """Register it; a key needs the scope `rank`."""

        @app.post("/v1/pages/{name}", openapi_extra=takes(PageRequest, PageResponse))
        async def compose_page(
            name: Annotated[str, Path(max_length=64)],
            request: Request,
            caller: Annotated[Any, Depends(Scoped(keys, Scope.RANK))],
        ) -> Response:
            """Fill all shelves of a page for this shopper, with no item twice."""
            body = await read_body(request, PageRequest)
            shop, stages = self._shops.of(caller.shop), stages_of(request)
            page = shop.rules.pages.get(name)
            if page is None:
                raise UnknownPageError("name: the rules declare no such page")
            query = (body.query or "").strip() or None
            context = self._contexts.of(shop, body, stages)
            context = replace(
                context,
                query=query,
                explain=explain_of(body.explain),
                page=context.page or name,
            )
            asked = PageAsked(
                name, page, context, tuple(body.seed_item_ids), tuple(body.cart_item_ids),
                filters_of(body.filters),
            )  # fmt: skip
            return json_response(_told(await self._composer.compose(shop, asked, stages)))


def _told(page: ComposedPage) -> dict[str, Any]:
    """A PageResponse."""
    return {
        "page_id": page.page_id,
        "shelves": [_shelf(each) for each in page.shelves if isinstance(each, ShelfShown)],
        "left_out": [
            {"placement": each.shelf.placement, "why": each.why.value}
            for each in page.shelves
            if isinstance(each, ShelfOmitted)
        ],
    }


def _shelf(shown: ShelfShown) -> dict[str, Any]:
    shelf = shown.shelf
    told = {"placement": shelf.placement, "title": shelf.title or shelf.placement}
    return {**told, **response(shown.slate)}
