"""Pages for people: the API's reference, the operator's console, a demo shop over the public API.

Every asset comes from this process, so the pages work on a closed network, and their policy lets
the browser load nothing from elsewhere. And the script for pages of a storefront's own.
"""

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from features.catalog.item import Item
from serving.http.access.auth import Caller, Keyring, Scope
from serving.http.schemas.wire import Id
from serving.shops.shop import Shops

_OWN = Path(__file__).parents[1] / "demo"
_SNIPPET = Path(__file__).parents[1] / "browser" / "vitrine.js"
_SWAGGER = Path(str(files("fastapi_offline"))) / "static"
_SHARED = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
_STRICT_POLICY = (
    f"{_SHARED}style-src 'self'; img-src 'self'; form-action 'none'; frame-ancestors 'none'; "
    # Titles and reasons are other people's text: the browser refuses to read a string as markup.
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
# Swagger UI draws its icons from data: addresses.
_DOCS_POLICY = (
    f"{_SHARED}style-src 'self'; img-src 'self' data:; form-action 'none'; frame-ancestors 'none'"
)
_DOCS_FILES = {
    "swagger-ui-bundle.js": _SWAGGER / "swagger-ui-bundle.js",
    "swagger-ui.css": _SWAGGER / "swagger-ui.css",
    "docs.js": _OWN / "docs.js",
    "icon.svg": _OWN / "icon.svg",
}
_CONSOLE = Path(__file__).parents[1] / "console"
_CONSOLE_FILES = {
    path.name: path for path in _CONSOLE.iterdir() if path.suffix in (".js", ".css")
} | {name: _OWN / name for name in ("api.js", "dom.js", "style.css", "icon.svg")}
_DEMO_FILES = {path.name: path for path in _OWN.iterdir() if path.suffix in (".js", ".css", ".svg")}


def add_snippet(app: FastAPI) -> None:
    """`/vitrine.js`: what a storefront's pages load to tell events (docs/browser.md)."""
    headers = {
        "cache-control": "public, max-age=3600",
        "cross-origin-resource-policy": "cross-origin",
        "x-content-type-options": "nosniff",
    }

    @app.get("/vitrine.js", include_in_schema=False)
    async def get_snippet() -> Response:
        return FileResponse(_SNIPPET, headers=headers, media_type="text/javascript")


def add_docs(app: FastAPI) -> None:
    """`/docs`: Swagger UI over `/openapi.json`."""
    _add_page(app, "/docs", _OWN / "docs.html", _DOCS_FILES, _DOCS_POLICY)


def add_console(app: FastAPI) -> None:
    """`/console`: experiments, for operators. The page itself tells nothing that needs a key."""
    _add_page(app, "/console", _CONSOLE / "index.html", _CONSOLE_FILES, _STRICT_POLICY)


def add_pages(app: FastAPI, shops: Shops, keys: Keyring) -> None:
    """`/demo`: a shop that shows what a ranking knows and how a click changes it."""

    async def admit(request: Request) -> Caller:
        return keys.admit(request.headers.get("authorization"), Scope.RANK)

    @app.get("/demo/items", include_in_schema=False)
    async def read_items(
        ids: Annotated[list[Id], Query(min_length=1, max_length=200)],
        caller: Annotated[Any, Depends(admit)],
    ) -> Response:
        """What the shop shows of these items, as far as the catalogue has them."""
        table = shops.of(caller.shop).items.table
        rows = table.rows(ids).tolist()
        there = [table.items[row] for row in rows if row >= 0 and not table.removed[row]]
        content = orjson.dumps({"items": [_shown(item) for item in there]})
        return Response(content, media_type="application/json")

    _add_page(app, "/demo", _OWN / "index.html", _DEMO_FILES, _STRICT_POLICY)


def _add_page(app: FastAPI, path: str, page: Path, assets: dict[str, Path], policy: str) -> None:
    headers = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }

    async def get_page() -> Response:
        return FileResponse(page, headers=headers)

    async def get_asset(name: str) -> Response:
        asset = assets.get(name)
        if asset is None:
            raise HTTPException(404)
        return FileResponse(asset, headers=headers)

    app.get(path, include_in_schema=False)(get_page)
    app.get(f"{path}/{{name}}", include_in_schema=False)(get_asset)


def _shown(item: Item) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "title": item.title,
        "brand": item.brand,
        "category": item.category,
        "price": item.price,  # NaN is null in JSON
        "currency": item.currency,
    }
