"""Calls with a shop's key, many at a time on one event loop, and their answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlencode

import aiohttp
import httpx
import orjson
from yarl import URL

from loadtests.isolation.operations import Call

AT_ONCE = 10  # what HAProxy gives an ingress replica; fewer classifiers than a shop may have
_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_TRIES, _REST_S = 50, 0.2


class Answer(NamedTuple):
    """What came back. headers: all of them as one text"""

    status: int
    text: str
    headers: str = ""


class Asker:
    """Sends calls; see `asker_like`."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session, self._base_url = session, base_url

    async def send(self, call: Call) -> Answer:
        """The answer; a service that is too busy is asked again.

        Raises RuntimeError when it stays so, and what aiohttp raises.
        """
        query = f"?{urlencode(call.params)}" if call.params else ""
        url = URL(f"{self._base_url}{call.path}{query}", encoded=True)
        content = call.content if call.json is None else orjson.dumps(call.json)
        headers = {} if call.json is None else {"content-type": "application/json"}
        for _ in range(_TRIES):
            async with self._session.request(
                call.method, url, data=content, headers=headers, allow_redirects=False
            ) as told:
                answer = Answer(told.status, await told.text("utf-8"), str(dict(told.headers)))
            if answer.status not in _BUSY:
                return answer
            await asyncio.sleep(_REST_S)
        raise RuntimeError(f"{call.method} {call.path}: {answer.status} {_TRIES} times")


@asynccontextmanager
async def asker_like(client: httpx.Client) -> AsyncIterator[Asker]:
    """An Asker with the address and the headers of `client`."""
    async with aiohttp.ClientSession(
        headers={"authorization": client.headers["authorization"]},
        connector=aiohttp.TCPConnector(limit=AT_ONCE),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=60),
    ) as session:
        yield Asker(session, str(client.base_url).rstrip("/"))
