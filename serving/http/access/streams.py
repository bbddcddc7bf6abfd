"""How many long streams a replica has under way: each holds one of its places at HAProxy for as
long as the other end takes, and rankings need places, too."""

import re

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.errors import OverloadedError
from serving.http.middleware import problem

_STREAMS = re.compile(r"/v1/(?:items/import|events/import|users/[^/]+/export)")
_RETRY_S = 5


class Streams:
    """ASGI middleware: of imports and of copies of shoppers there are `most` at once; others are
    refused at once, with what a retry needs."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most = app, most
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not _STREAMS.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        if self._under_way >= self._most:
            detail = f"{self._most} imports and copies are under way; try again later"
            refused = problem(Request(scope), 503, OverloadedError.code, detail, _RETRY_S)
            await refused(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1
