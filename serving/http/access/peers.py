"""Whose request it is: the client's address, which rates of publishable keys are counted by."""

from collections.abc import Sequence
from typing import Any

from pydantic import IPvAnyNetwork
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

_PEER = "x-vitrine-peer"  # who was connected to HAProxy


class ClientAddress:
    """ASGI middleware: `scope["client"]` becomes HAProxy's peer, or whom a trusted proxy names.

    trusted_proxies: only what these add to X-Forwarded-For is believed; anybody may send one.
    """

    def __init__(self, app: ASGIApp, trusted_proxies: Sequence[IPvAnyNetwork] = ()) -> None:
        inner: Any = app  # uvicorn has types of its own for the same protocol
        trusted = [str(each) for each in trusted_proxies]
        self._app: Any = ProxyHeadersMiddleware(inner, trusted) if trusted else inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            said = Headers(scope=scope).getlist(_PEER)  # HAProxy's own stands last
            if said:
                scope["client"] = (said[-1], 0)
        await self._app(scope, receive, send)
