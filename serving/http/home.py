"""`/`: where everything is, for a person and for a program."""

from html import escape

from fastapi import FastAPI, Request, Response

from serving.http.bodies import json_response
from serving.http.openapi import gives
from serving.http.schemas.operations import Home

_PLACES = {
    "docs": ("/docs", "The API, to read and to try"),
    "console": ("/console", "Experiments: what they find, and stopping them; with a key"),
    "openapi": ("/openapi.json", "The API as an OpenAPI document"),
    "health": ("/healthz", "Whether this process lives"),
    "ready": ("/readyz", "Whether it can rank"),
    "metrics": ("/metrics", "Prometheus metrics"),
}
_DEMO = ("/demo", "A shop that shows what a ranking knows")
_HEADERS = {
    "vary": "Accept",
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
}


def add_home(app: FastAPI, demo: bool) -> None:
    """Register it; it tells nothing that needs a key. demo: whether the demo shop is served."""
    places = {**({"demo": _DEMO} if demo else {}), **_PLACES}
    links = {name: path for name, (path, _) in places.items()}
    told = {"name": app.title.lower(), "version": app.version, **links}
    page = _page(app.title, places)

    @app.get("/", openapi_extra=gives(Home))
    async def home(request: Request) -> Response:
        """Name, version and links: a page for a browser, JSON for a program."""
        # Browsers name HTML in what they accept; programs accept JSON, or anything.
        if "text/html" in request.headers.get("accept", ""):
            return Response(page, media_type="text/html", headers=_HEADERS)
        return json_response(told, headers=_HEADERS)


def _page(title: str, places: dict[str, tuple[str, str]]) -> str:
    items = "\n".join(
        f'<li><a href="{path}">{path}</a>: {escape(what)}</li>' for path, what in places.values()
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"></head>\n'
        f"<body><h1>{title}</h1><p>Ranking for storefronts.</p>\n"
        f"<ul>\n{items}\n</ul></body></html>\n"
    )
