"""Routes that FastAPI documents and that are answered without it.

FastAPI solves anew for each request what an endpoint depends on, within four exit stacks and as
many closures. The endpoints that are asked most need a key and their body, and read both
themselves.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.errors import VitrineError
from serving.http.access.auth import Caller
from serving.http.bodies import error_answer
from serving.http.dependencies import Scoped

Endpoint = Callable[[Request], Awaitable[ASGIApp]]


class DirectRoute(APIRoute):
    """Its endpoint takes the request alone, after its key was admitted: see `caller_of`.

    The last of its `dependencies` is a Scoped; others only stand in the document.
    """

    def __init__(self, path: str, endpoint: Endpoint, **declared: Any) -> None:
        super().__init__(path, endpoint, **declared)
        scoped = self.dependencies[-1].dependency
        if not isinstance(scoped, Scoped):
            raise TypeError(f"{path}: a direct route asks for a key")
        self._scoped = scoped
        self._answered_by = endpoint
        self.app = self.answer

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            scope["state"]["caller"] = self._scoped.admit(request)
            response = await self._answered_by(request)
        except (VitrineError, HTTPException) as error:
            response = error_answer(request, error)
        await response(scope, receive, send)


class Direct:
    """ASGI middleware: requests for a DirectRoute of `routes` go there, all others on."""

    def __init__(self, app: ASGIApp, routes: list[BaseRoute]) -> None:
        self._app = app
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route, DirectRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route = None
        if scope["type"] == "http":
            route = self._routes.get((scope["method"], scope["path"]))
        if route is None:
            await self._app(scope, receive, send)
        else:
            scope["route"] = route
            await route.answer(scope, receive, send)


def direct(
    app: FastAPI, path: str, scoped: Scoped, *documented: Any, **declared: Any
) -> Callable[[Endpoint], Endpoint]:
    """Register an endpoint of POST as a DirectRoute. documented: dependencies beside the key's."""

    def register(endpoint: Endpoint) -> Endpoint:
        app.router.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            dependencies=[*documented, Depends(scoped)],
            route_class_override=DirectRoute,
            **declared,
        )
        return endpoint

    return register


def caller_of(request: Request) -> Caller:
    """Whose key came with a request for a DirectRoute."""
    caller: Caller = request.scope["state"]["caller"]
    return caller
