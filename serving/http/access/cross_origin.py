"""Cross-origin requests (CORS): pages of the origins that publishable keys list may post events.

Every other path stays closed to other origins: a browser asks first, and gets no leave.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.http.access.auth import Keyring

EVENTS_PATH = "/v1/events"
PREFLIGHT = {
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "authorization, content-type, traceparent",
    "access-control-max-age": "600",  # an origin that is taken off the list is off after this
}


class CrossOrigin:
    """ASGI middleware: lets pages of listed origins read answers at EVENTS_PATH, refusals too."""

    def __init__(self, app: ASGIApp, keys: Keyring) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] != EVENTS_PATH:
            await self._app(scope, receive, send)
            return
        origin = Headers(scope=scope).get("origin")

        async def send_out(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                out.add_vary_header("Origin")
                if origin is not None and self._keys.lists(origin):
                    out["access-control-allow-origin"] = origin
                    out["access-control-expose-headers"] = "retry-after, x-request-id"
            await send(message)

        await self._app(scope, receive, send_out)
