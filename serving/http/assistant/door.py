"""MCP over streamable HTTP, at /mcp: by the official SDK, within our keys, limits and problems.

Each POST is an exchange of its own: no session is kept, so any replica answers any of them.
"""

import logging
from collections.abc import Collection
from typing import Any

import mcp_types as types
import orjson
from fastapi import FastAPI, Request
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import ForbiddenError, VitrineError
from serving.http.access.auth import Keyring
from serving.http.access.auth import Scope as KeyScope
from serving.http.assistant.tools import Tool, Tools
from serving.http.bodies import error_answer, stages_of
from serving.http.dependencies import Scoped
from serving.http.direct import caller_of, direct
from serving.http.routes.rankings import RankingRoutes
from serving.shops.shop import Shops

PATH = "/mcp"
_ABOUT = (
    "The catalogue of one shop. Tell a shopper's conditions in `user_context`, in the shopper's "
    "own "
    "words, and read `understood`: what is not used there was not applied. Name items by title; "
    "keep `ranking_id`."
)


def add_assistant(
    app: FastAPI,
    rankings: RankingRoutes,
    shops: Shops,
    keys: Keyring,
    origins: Collection[str],
) -> None:
    """Register the door; a key needs the scope `rank`. origins: of pages that may ask."""
    # Two lines a request, and what callers sent.
    logging.getLogger("mcp").setLevel(logging.ERROR)
    door = Door(Tools(rankings, shops), origins)
    scoped = Scoped(keys, KeyScope.RANK)

    @direct(app, PATH, scoped, include_in_schema=False)
    async def mcp(request: Request) -> ASGIApp:
        """One message of an assistant."""
        return await door.exchange(request)


class Door:
    """Answers messages whose key was admitted."""

    def __init__(self, tools: Tools, origins: Collection[str]) -> None:
        self._tools = tools
        self._origins = frozenset(origins)
        self._listed = types.ListToolsResult(tools=[_listed(t) for t in tools.by_name.values()])
        self._server: Server[Any] = Server(
            "vitrine",
            version="1",
            title="Vitrine",
            instructions=_ABOUT,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )
        self._server.middleware.clear()  # spans of their own, named by what callers send

    async def exchange(self, request: Request) -> ASGIApp:
        """What answers the message; raises ForbiddenError for a page of a strange origin."""
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._origins:
            raise ForbiddenError("origin: pages of this origin may not ask (assistant.origins)")
        body = await request.body()  # here, where one that is too long has a problem document

        async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
            manager = StreamableHTTPSessionManager(self._server, json_response=True, stateless=True)
            async with manager.run():
                await manager.handle_request(scope, _again(body, request.receive), send)

        return answer

    async def _list(
        self, _context: ServerRequestContext[Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return self._listed

    async def _call(
        self, context: ServerRequestContext[Any, Request], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        tool, request = self._tools.by_name.get(params.name), context.request
        assert request is not None
        if tool is None:
            known = ", ".join(self._tools.by_name)
            raise MCPError(types.INVALID_PARAMS, f"no such tool; there are {known}")
        try:
            answer = await self._tools.answer(
                tool, caller_of(request), params.arguments or {}, stages_of(request)
            )
        except VitrineError as error:
            problem = orjson.loads(error_answer(request, error).body)
            return _result(f"{problem['title']}: {problem['detail']}", problem, is_error=True)
        return _result(answer.text, answer.content)


def _listed(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.about,
        input_schema=tool.arguments,
        output_schema=tool.answer,
        annotations=types.ToolAnnotations(read_only_hint=True, open_world_hint=False),
    )


def _result(text: str, content: dict[str, Any], is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)],
        structured_content=content,
        is_error=is_error,
    )


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that begins with a body that was read."""
    told = False

    async def begun() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return begun
