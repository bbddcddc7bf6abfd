"""Bodies that come compressed: read within the limit, or refused in words that help."""

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import MAX_BODY, Service, candidates, problem

RANK = json.dumps({"candidates": candidates("milk", "oat")}).encode()


@pytest.fixture(scope="module")
def shop(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path)


async def rank(shop: Service, body: bytes, encoding: str, pieces: int = 1) -> Any:
    async def chunks() -> AsyncIterator[bytes]:
        size = max(1, -(-len(body) // pieces))
        for start in range(0, len(body), size):
            yield body[start : start + size]

    headers = {"content-encoding": encoding}
    return await shop.call("POST", "/v1/rank", content=chunks(), headers=headers)


@pytest.mark.parametrize("pieces", [1, 3, 10_000])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(RANK)),
        ("GZIP ", gzip.compress(RANK)),
        ("x-gzip", gzip.compress(RANK)),
        ("deflate", zlib.compress(RANK)),
        ("gzip", gzip.compress(RANK[:9]) + gzip.compress(RANK[9:])),
        ("identity", RANK),
    ],
)
async def test_a_compressed_body_is_the_body(
    shop: Service, encoding: str, body: bytes, pieces: int
) -> None:
    answer = await rank(shop, body, encoding, pieces)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["items"]) == 2


@pytest.mark.parametrize("pieces", [1, 50])
async def test_what_is_small_and_becomes_huge_is_a_413(shop: Service, pieces: int) -> None:
    bomb = gzip.compress(bytes(200 * MAX_BODY))
    assert len(bomb) < MAX_BODY / 4
    answer = await rank(shop, bomb, "gzip", pieces)
    assert (answer.status_code, problem(answer)["code"]) == (413, "body_too_large")


async def test_the_limit_is_that_of_the_body_as_it_is_read(shop: Service) -> None:
    exact = RANK + b" " * (MAX_BODY - len(RANK))
    assert (await rank(shop, gzip.compress(exact), "gzip")).status_code == 200
    assert (await rank(shop, gzip.compress(exact + b" "), "gzip")).status_code == 413


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "nonsense", "compress"])
async def test_another_encoding_is_a_415_that_names_ours(shop: Service, encoding: str) -> None:
    answer = await rank(shop, RANK, encoding)
    assert (answer.status_code, problem(answer)["code"]) == (415, "unsupported_media_type")
    assert answer.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    "body", [b"", RANK, gzip.compress(RANK)[:-9], gzip.compress(RANK)[:5], zlib.compress(RANK)[9:]]
)
async def test_what_is_not_compressed_as_it_says_is_a_400(shop: Service, body: bytes) -> None:
    answer = await rank(shop, body, "gzip")
    assert (answer.status_code, problem(answer)["code"]) == (400, "malformed_body")


async def test_a_strangers_encoding_is_not_looked_at(shop: Service) -> None:
    headers = {"content-encoding": "nonsense"}
    answer = await shop.call("POST", "/v1/rank", "nobody", content=b"x", headers=headers)
    assert answer.status_code == 401


async def test_an_import_may_be_compressed_and_of_any_length(tokenizer_path: Path) -> None:
    shop = Service(tokenizer_path)
    lines = b"".join(
        json.dumps({"item_id": str(n), "title": "T" * 400, "description": "d" * 2_000}).encode()
        + b"\n"
        for n in range(1_000)
    )
    assert len(lines) > 2 * MAX_BODY
    headers = {"content-encoding": "gzip"}
    answer = await shop.call(
        "POST", "/v1/items/import", content=gzip.compress(lines), headers=headers
    )
    assert answer.json() == {"accepted": 1_000, "rejected": 0, "errors": []}
