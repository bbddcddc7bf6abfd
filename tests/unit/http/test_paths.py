"""Ids in paths: each is one segment, whatever stands in it, and no other item is met instead."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from features.catalog.item import Item
from tests.support.service import Service, problem

IDS = [
    "X", "a/b", "a/", "/", "//", "a/similar", "similar", "import", "a/features", "ä b?", "茶",
    "x\ny", "\n", "\x00", " ", "..", "..%2F", "a%2Fb", "a%252Fb", "50%", "%", "%25", "#", "+", ":",
    "a;b=c", "\u2028", "%zz",
]  # fmt: skip


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path)


async def send(shop: Service, method: str, path: str, **given: Any) -> Any:
    """A path byte by byte as it stands here."""
    url = httpx.URL("http://shop").copy_with(raw_path=path.encode())
    async with shop.client() as client:
        return await client.request(method, url, **given)


@pytest.mark.parametrize("item_id", IDS)
@pytest.mark.parametrize("every_byte", [False, True])
async def test_an_id_comes_back_from_every_path_whatever_stands_in_it(
    shop: Service, item_id: str, every_byte: bool
) -> None:
    escaped = "".join(f"%{byte:02x}" for byte in item_id.encode())
    if not every_byte and item_id != "..":  # which clients take for the folder above
        escaped = quote(item_id, safe="")
    path = f"/v1/items/{escaped}"
    shop.catalog.upsert([Item(item_id, "T")])
    assert (await send(shop, "GET", path)).json()["item_id"] == item_id
    answer = await send(shop, "PATCH", path, json={"title": "U"})
    assert (answer.json()["item_id"], answer.json()["title"]) == (item_id, "U")
    shop.items.upsert([Item(item_id, "T")])
    assert (await send(shop, "GET", f"{path}/similar")).status_code == 200
    assert (await send(shop, "DELETE", path)).status_code == 204
    assert shop.catalog.items == {item_id: None}
    user = path.replace("items", "users")
    assert (await send(shop, "GET", f"{user}/features")).json() == {"known": False}
    assert (await send(shop, "DELETE", user)).status_code == 202
    assert shop.log.erased == [shop.shop.pseudonyms.user(item_id)]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v1/items/X/"),
        ("DELETE", "/v1/items//X"),
        ("DELETE", "/v1//items/X"),
        ("DELETE", "//v1/items/X"),
        ("DELETE", "/v1/items/X//"),
        ("DELETE", "/v1/items/a/X"),
        ("DELETE", "/v1/items/"),
        ("DELETE", "/V1/items/X"),
        ("DELETE", "/v1/Items/X"),
        ("DELETE", "/v1/items%2FX"),
        ("GET", "/v1/items/X/"),
        ("GET", "/v1/items/X/similar/"),
        ("GET", "/v1/items/X/Similar"),
        ("GET", "/v1/items/X%2Fsimilar/"),
        ("PATCH", "/v1/items/X/"),
        ("PUT", "/v1/items/"),
        ("POST", "/v1/items/import/"),
        ("POST", "/v1/rank/"),
        ("DELETE", "/v1/users/ann/"),
        ("DELETE", "/v1/users//ann"),
        ("GET", "/v1/users/ann/features/"),
    ],
)
async def test_a_path_that_is_not_quite_one_says_so_and_changes_nothing(
    shop: Service, method: str, path: str
) -> None:
    shop.catalog.upsert([Item("X", "T")])
    answer = await send(shop, method, path, **({"json": {}} if method != "GET" else {}))
    assert (answer.status_code, problem(answer)["code"]) == (404, "not_found")
    assert "%2F" in problem(answer)["detail"]
    assert shop.catalog.items["X"] == Item("X", "T")
    assert shop.log.erased == []


async def test_a_path_that_is_no_utf_8_is_a_422(shop: Service) -> None:
    shop.catalog.upsert([Item("\ufffd", "T")])
    answer = await send(shop, "DELETE", "/v1/items/%ff")
    assert (answer.status_code, problem(answer)["code"]) == (422, "invalid_request")
    assert "path" in problem(answer)["detail"]
    assert shop.catalog.items["\ufffd"] is not None


async def test_letters_that_need_no_escape_may_have_one(shop: Service) -> None:
    shop.catalog.upsert([Item("X", "T")])
    assert (await send(shop, "GET", "/%761/%69tems/%58")).json()["item_id"] == "X"


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/v1/status", "/v1/items/X"],
)
async def test_head_tells_what_get_would_and_sends_no_body(shop: Service, path: str) -> None:
    shop.catalog.upsert([Item("X", "T")])
    asked, told = await send(shop, "GET", path), await send(shop, "HEAD", path)
    assert told.status_code == asked.status_code == 200
    assert told.content == b""
    assert told.headers["content-type"] == asked.headers["content-type"]
    assert (await send(shop, "HEAD", "/v1/rank")).status_code == 405
