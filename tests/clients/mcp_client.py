"""The official MCP client against an address, with a key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

Mode = Literal["auto", "legacy"]
MODES: tuple[Mode, ...] = ("auto", "legacy")  # the protocol of 2026, and those before it


@asynccontextmanager
async def mcp_client(
    url: str, key: str | None, mode: Mode = "auto", **headers: str
) -> AsyncIterator[Client]:
    """Connected to the door at `url`."""
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


def content(result: Any) -> dict[str, Any]:
    """The structured answer of a tool."""
    assert not result.is_error, result.content
    found: dict[str, Any] = result.structured_content
    return found


def text(result: Any) -> str:
    """The text of a tool's answer."""
    (block,) = result.content
    return str(block.text)
