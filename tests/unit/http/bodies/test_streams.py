"""Long streams leave a replica's places to rankings."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.service import Service

MOST = 4  # access.max_streams, as it is by default
LINE = b'{"item_id": "slow", "title": "Slow"}\n'


@pytest.mark.parametrize("path", ["/v1/items/import", "/v1/events/import"])
async def test_streams_beyond_the_most_are_refused_and_rankings_go_on(
    tokenizer_path: Path, path: str
) -> None:
    service, go_on = Service(tokenizer_path), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield LINE
        await go_on.wait()

    def send() -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(service.call("POST", path, content=slow()))

    under_way = [send() for _ in range(MOST)]
    await asyncio.sleep(0.05)
    for method, refused in (("POST", path), ("GET", "/v1/users/ann/export")):
        answer = await service.call(method, refused)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "5"
    ranked = await service.call("POST", "/v1/rank", json={"candidates": ["oat", "rye"]})
    assert ranked.status_code == 200
    go_on.set()
    assert {(await each).status_code for each in under_way} == {200}
    assert (await service.call("POST", path, content=LINE)).status_code == 200


async def test_a_stream_that_breaks_off_leaves_its_place(tokenizer_path: Path) -> None:
    service = Service(tokenizer_path)

    async def broken() -> AsyncIterator[bytes]:
        yield LINE
        raise ConnectionError("gone")

    for _ in range(MOST + 1):
        answer = await service.call("POST", "/v1/items/import", content=broken())
        assert answer.status_code == 500
    assert (await service.call("POST", "/v1/items/import", content=LINE)).status_code == 200
