"""The catalogue of the real stack: what changes counts in the next rankings, whatever the id."""

import gzip
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from loadtests.stack import RunningStack

ODD = "odd/ä b?%2F"  # through HAProxy, uvicorn and Ray Serve


@pytest.fixture
def item_id(stack: RunningStack) -> str:
    item = {"item_id": ODD, "title": "Odd thing", "price": 3.0, "brand": "Odd"}
    put = stack.client.put("/v1/items", json={"items": [item]})
    assert put.json() == {"accepted": 1, "rejected": []}
    wait_for(lambda: shown(stack, ODD, min_price=2.0))
    return ODD


def send(stack: RunningStack, method: str, path: str, **given: Any) -> httpx.Response:
    """A path byte by byte as it stands here."""
    url = httpx.URL(stack.url).copy_with(raw_path=path.encode())
    return stack.client.request(method, url, **given)


def shown(stack: RunningStack, item_id: str, **filters: Any) -> bool:
    """Whether a ranking has the item, through these filters."""
    body = {"candidates": [item_id], "filters": filters}
    answer = stack.client.post("/v1/rank", json=body)
    assert answer.status_code == 200, answer.text
    return len(answer.json()["items"]) == 1


def wait_for(holds: Callable[[], bool], within_s: float = 1.0) -> None:
    until_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until_s, f"not within {within_s} s"
        time.sleep(0.02)


def test_price_and_stock_count_within_a_second(stack: RunningStack, item_id: str) -> None:
    path = f"/v1/items/{quote(item_id, safe='')}"
    changed = send(stack, "PATCH", path, json={"price": 90_000})
    assert (changed.json()["price"], changed.json()["brand"]) == (90_000, "Odd")
    wait_for(lambda: shown(stack, item_id, min_price=90_000))
    send(stack, "PATCH", path, json={"available": False})
    wait_for(lambda: not shown(stack, item_id))
    assert shown(stack, item_id, available=False)


def test_an_id_with_a_slash_comes_back_and_goes(stack: RunningStack, item_id: str) -> None:
    path = f"/v1/items/{quote(item_id, safe='')}"
    assert send(stack, "GET", path).json()["item_id"] == item_id
    assert send(stack, "HEAD", path).status_code == 200
    assert send(stack, "DELETE", f"{path}/").status_code == 404
    assert send(stack, "GET", path).status_code == 200
    assert send(stack, "DELETE", path).status_code == 204
    assert send(stack, "GET", path).status_code == 404


def test_a_compressed_import_of_many_megabytes_is_taken(stack: RunningStack) -> None:
    line = json.dumps({"item_id": "import-1", "title": "T", "description": "d" * 8_000}).encode()
    answer = stack.client.post(
        "/v1/items/import",
        content=gzip.compress(b"\n".join([line] * 1_000)),
        headers={"content-encoding": "gzip"},
    )
    assert answer.json() == {"accepted": 1_000, "rejected": 0, "errors": []}
    assert stack.client.delete("/v1/items/import-1").status_code == 204
