"""A host of pictures on loopback that answers as good and bad hosts do."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import web
from aiohttp.abc import AbstractResolver

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LoopbackNames(AbstractResolver):
    """Every name stands for 127.0.0.1, but those that are given stand for something else."""

    def __init__(self, others: dict[str, str] | None = None) -> None:
        self.others = others or {}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> Any:
        self.asked.append(host)
        address = self.others.get(host, "127.0.0.1")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        found = {"hostname": host, "host": address, "port": port, "family": family}
        return [{**found, "proto": 0, "flags": socket.AI_NUMERICHOST}]

    async def close(self) -> None:
        pass


class PictureServer:
    """Answers by path; counts what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def url(self, path: str, host: str = "cdn.example") -> str:
        """Where `path` is found."""
        return f"http://{host}:{self.port}/{path}"

    def serve(self, path: str, content: bytes, status: int = 200, **headers: str) -> None:
        """Answer `path` so; a header's _ is a -."""

        async def answer(_: web.Request) -> web.StreamResponse:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(body=content, status=status, headers=named)

        self.answers[path] = answer

    def drip(self, path: str, n_bytes: int, every_s: float) -> None:
        """Answer `path` a byte at a time."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(n_bytes):
                await response.write(b"x")
                await asyncio.sleep(every_s)
            return response

        self.answers[path] = answer

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.asked.append(path)
        self.headers.append(dict(request.headers))
        if path not in self.answers:
            return web.Response(status=404)
        return await self.answers[path](request)
