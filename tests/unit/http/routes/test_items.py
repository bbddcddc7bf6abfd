"""The catalogue over HTTP: put, changed, imported, read and listed; each entry judged alone."""

import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from features.catalog.item import Item
from features.catalog.table import ItemTable
from tests.support.fakes import NOW_S
from tests.support.service import Service, problem

JAM = Item(
    "jam", "Plum jam", "with bits", "Food > Spreads", "Grove", 3.5, "EUR", 1_600_000_000.0,
    image_url="https://shop.example/jam.png", attributes={"size": "1 kg", "sugar": "low"},
)  # fmt: skip


@pytest.fixture
def service(tokenizer_path: Path) -> Service:
    found = Service(tokenizer_path)
    found.catalog.upsert([JAM])
    return found


async def put(service: Service, *entries: Any) -> Any:
    answer = await service.call("PUT", "/v1/items", json={"items": list(entries)})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def patch(service: Service, **fields: Any) -> Any:
    answer = await service.call("PATCH", "/v1/items/jam", json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def kept(service: Service, item_id: str = "jam") -> Item:
    item = service.catalog.items[item_id]
    assert item is not None
    return item


async def test_items_are_stored_in_the_catalogues_own_writing(service: Service) -> None:
    jelly = {
        "item_id": "jelly", "title": "Plum jelly", "category": " Food>Spreads > ", "price": 3,
        "attributes": {"size": "1 kg", "colour": None},
    }  # fmt: skip
    answer = await put(service, jelly, {"item_id": "x", "title": "X", "category": " > "})
    assert answer == {"accepted": 2, "rejected": []}
    found, x = kept(service, "jelly"), kept(service, "x")
    assert (found.category, found.price, found.attributes) == (
        "Food > Spreads", 3.0, {"size": "1 kg"},
    )  # fmt: skip
    assert x.category == ""
    assert math.isnan(x.price)
    assert found.created_s == NOW_S
    assert len(ItemTable([found, x])) == 2
    assert x.ranker_text == "X"


async def test_a_bad_item_is_rejected_alone_and_its_field_is_named(service: Service) -> None:
    good = {"item_id": "tea", "title": "Tea", "price": 1}
    bad = [
        {"item_id": "a"},
        {"item_id": "a", "title": None},
        {"item_id": "a", "title": ""},
        {"item_id": "a", "title": "t", "price": "1"},
        {"item_id": "a", "title": "t", "price": -1},
        {"item_id": "a", "title": "t", "sku": 1},
        {"item_id": "a", "title": "t", "created_at": "yesterday"},
        {"title": "t"},
        None,
        7,
    ]
    answer = await put(service, *bad, good)
    assert answer["accepted"] == 1
    assert [each["index"] for each in answer["rejected"]] == list(range(len(bad)))
    assert {each["code"] for each in answer["rejected"]} == {"invalid_item"}
    details = [each["detail"].split(":")[0] for each in answer["rejected"]]
    assert details[:8] == [
        "title", "title", "title", "price", "price", "sku", "created_at", "item_id",
    ]  # fmt: skip
    assert set(service.catalog.items) == {"jam", "tea"}


async def test_a_null_is_an_empty_field(service: Service) -> None:
    nothing = dict.fromkeys(("description", "brand", "price", "available", "attributes"))
    assert (await put(service, {"item_id": "x", "title": "X", **nothing}))["accepted"] == 1
    assert kept(service, "x").available
    assert kept(service, "x").attributes == {}


async def test_a_put_replaces_all_but_when_an_item_entered_the_catalogue(service: Service) -> None:
    await put(service, {"item_id": "jam", "title": "Jam"})
    assert kept(service) == Item("jam", "Jam", price=kept(service).price, created_s=JAM.created_s)
    assert math.isnan(kept(service).price)


async def test_an_item_may_say_when_it_entered_the_catalogue(service: Service) -> None:
    at = "2026-03-02T00:00:00Z"
    await put(service, {"item_id": "old", "title": "Old", "created_at": at})
    assert kept(service, "old").created_s == 1_772_409_600.0
    await put(service, {"item_id": "old", "title": "Older"})
    assert kept(service, "old").created_s == 1_772_409_600.0
    await patch(service, created_at=None)
    assert math.isnan(kept(service).created_s)


async def test_a_patch_changes_what_it_names_and_nothing_else(service: Service) -> None:
    found = await patch(service, price=4.25, available=False)
    assert kept(service) == Item(
        **{**{name: getattr(JAM, name) for name in JAM.__slots__}, "price": 4.25,
           "available": False}
    )  # fmt: skip
    assert (found["price"], found["available"], found["brand"]) == (4.25, False, "Grove")
    assert found["attributes"] == {"size": "1 kg", "sugar": "low"}


async def test_a_patch_is_merged_as_rfc_7396_has_it(service: Service) -> None:
    await patch(service, attributes={"size": None, "fruit": "plum"}, brand=None, item_id="jam")
    assert kept(service).attributes == {"sugar": "low", "fruit": "plum"}
    assert kept(service).brand == ""
    await patch(service, attributes={})
    assert kept(service).attributes == {"sugar": "low", "fruit": "plum"}
    await patch(service, attributes=None)
    assert kept(service).attributes == {}
    await patch(service)
    assert kept(service).title == JAM.title


async def test_a_patch_cannot_pile_up_attributes(service: Service) -> None:
    more = {f"name {number}": "x" for number in range(63)}
    answer = await service.call("PATCH", "/v1/items/jam", json={"attributes": more})
    assert answer.status_code == 422
    assert "attributes" in problem(answer)["detail"]
    assert kept(service) == JAM


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/merge-patch+json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("application/x-www-form-urlencoded", 200),
        ("application/json-patch+json", 415),
        ("text/plain", 415),
    ],
)
async def test_a_patch_of_another_kind_is_a_415_that_names_the_right_ones(
    service: Service, kind: str, status: int
) -> None:
    for path, body in (("/v1/items/jam", '{"price": 1}'), ("/v1/items", '{"items": [{}]}')):
        answer = await service.call("PATCH", path, content=body, headers={"content-type": kind})
        if status == 415:
            assert problem(answer)["code"] == "unsupported_media_type"
            assert "application/merge-patch+json" in answer.headers["accept-patch"]
        else:
            assert answer.status_code in (200, 202)


async def test_changes_of_many_items_are_judged_one_by_one(service: Service) -> None:
    await put(service, {"item_id": "tea", "title": "Tea", "brand": "Leaf"})
    changes = [
        {"item_id": "jam", "price": 9},
        {"item_id": "nowhere", "price": 9},
        {"item_id": "tea", "price": "9"},
        {"price": 9},
        {"item_id": "jam", "available": False},
        {"item_id": "tea", "title": None},
    ]
    answer = await service.call("PATCH", "/v1/items", json={"items": changes})
    assert answer.status_code == 202
    rejected = answer.json()["rejected"]
    assert answer.json()["accepted"] == 2
    assert [(each["index"], each["code"]) for each in rejected] == [
        (1, "unknown_item"), (2, "invalid_item"), (3, "invalid_item"), (5, "invalid_item"),
    ]  # fmt: skip
    assert [each["detail"].split(":")[0] for each in rejected] == [
        "item_id", "price", "item_id", "title",
    ]  # fmt: skip
    assert (kept(service).price, kept(service).available) == (9.0, False)
    assert kept(service, "tea").brand == "Leaf"
    assert "nowhere" not in service.catalog.items


async def test_an_item_is_read_as_it_can_be_put_again(service: Service) -> None:
    answer = await service.call("GET", "/v1/items/jam")
    found = answer.json()
    assert found == {
        "item_id": "jam", "title": "Plum jam", "description": "with bits",
        "category": "Food > Spreads", "brand": "Grove", "price": 3.5, "currency": "EUR",
        "created_at": "2020-09-13T12:26:40+00:00", "available": True,
        "image_url": "https://shop.example/jam.png",
        "attributes": {"size": "1 kg", "sugar": "low"}, "picture_text": None,
    }  # fmt: skip
    await put(service, found)
    assert kept(service) == JAM
    service.catalog.upsert([Item("bare", "Bare")])
    bare = (await service.call("GET", "/v1/items/bare")).json()
    assert (bare["price"], bare["created_at"]) == (None, None)
    await put(service, bare)
    assert math.isnan(kept(service, "bare").created_s)


async def test_what_is_not_in_the_catalogue_is_a_404(service: Service) -> None:
    await service.call("DELETE", "/v1/items/jam")
    for item_id in ("jam", "nowhere"):
        for method in ("GET", "PATCH"):
            answer = await service.call(method, f"/v1/items/{item_id}", json={})
            assert (answer.status_code, problem(answer)["code"]) == (404, "unknown_item")


async def test_all_items_are_listed_once(service: Service) -> None:
    ids = sorted(["jam", *(f"a/{n} ü" for n in range(7))])
    await put(service, *({"item_id": item_id, "title": "x"} for item_id in ids if item_id != "jam"))
    listed, path = [], "/v1/items?limit=3"
    while path:
        found = (await service.call("GET", path)).json()
        listed += [item["item_id"] for item in found["items"]]
        path = f"/v1/items?limit=3&cursor={found['cursor']}" if found["cursor"] else ""
    assert listed == ids
    for limit in (len(ids), 100):
        assert (await service.call("GET", f"/v1/items?limit={limit}")).json()["cursor"] is None


async def test_five_hundred_items_of_full_length_fit(service: Service) -> None:
    long = {"title": "t" * 512, "description": "d" * 8192, "attributes": {"a": "x" * 512}}
    answer = await put(service, *({"item_id": str(n), **long} for n in range(500)))
    assert answer == {"accepted": 500, "rejected": []}


async def test_lists_of_items_have_a_limit_too(tokenizer_path: Path) -> None:
    access = {"keys_path": "x", "pseudonym_key_path": "x", "max_items_body_bytes": 3_000}
    service = Service(tokenizer_path, access=access)
    for method in ("PUT", "PATCH"):
        answer = await service.call(method, "/v1/items", content=b" " * 3_001)
        assert (answer.status_code, problem(answer)["code"]) == (413, "body_too_large")
        assert "3000" in problem(answer)["detail"]


# --- import ---


async def imported(service: Service, *chunks: bytes) -> Any:
    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    answer = await service.call("POST", "/v1/items/import", content=body())
    assert answer.status_code == 200, answer.text
    return answer.json()


def line(item_id: str, **fields: Any) -> bytes:
    return json.dumps({"item_id": item_id, "title": "T", **fields}).encode() + b"\n"


async def test_lines_are_imported_and_bad_ones_told_by_their_number(service: Service) -> None:
    found = await imported(
        service,
        b"\xef\xbb\xbf" + line("a", created_at="2026-03-02T00:00:00Z"),
        b"\n  \r\n{broken\n",
        line("b", price="1"),
        line("c").strip() + b"\r\n" + line("d").strip(),  # the last one without an end
    )
    assert (found["accepted"], found["rejected"]) == (3, 2)
    assert [(each["line"], each["code"]) for each in found["errors"]] == [
        (4, "invalid_item"), (5, "invalid_item"),
    ]  # fmt: skip
    assert "price" in found["errors"][1]["detail"]
    assert set(service.catalog.items) == {"jam", "a", "c", "d"}
    assert kept(service, "a").created_s == 1_772_409_600.0


async def test_chunks_may_end_anywhere(service: Service) -> None:
    whole = line("ä", description="ü\u2028") + line("b") + line("c")
    found = await imported(service, *(bytes([byte]) for byte in whole))
    assert (found["accepted"], found["rejected"]) == (3, 0)
    assert kept(service, "ä").description == "ü\u2028"


async def test_a_line_without_an_end_is_not_kept_in_memory(service: Service) -> None:
    long = 256 * 1024
    found = await imported(
        service,
        line("a"),
        b'{"item_id": "b", "description": "', *[b"x" * 65_536] * 8, b'"}\n',
        line("c"),
        b"y" * (long + 1),
    )  # fmt: skip
    assert (found["accepted"], found["rejected"]) == (2, 2)
    assert [(each["line"], each["code"]) for each in found["errors"]] == [
        (2, "line_too_long"), (4, "line_too_long"),
    ]  # fmt: skip
    assert str(long) in found["errors"][0]["detail"]


async def test_of_many_bad_lines_the_first_hundred_are_told_and_all_counted(
    service: Service,
) -> None:
    found = await imported(service, *(line(str(n)) + b"[]\n" for n in range(1_200)))
    assert (found["accepted"], found["rejected"]) == (1_200, 1_200)
    assert [each["line"] for each in found["errors"]] == list(range(2, 201, 2))


async def test_an_import_is_written_while_it_still_comes(service: Service) -> None:
    """So memory holds a few hundred lines of it, and who breaks off keeps what was taken."""
    seen: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        for number in range(3_000):
            seen.append(len(service.catalog.items))
            yield line(str(number), description="x" * 500)

    answer = await service.call("POST", "/v1/items/import", content=body())
    assert answer.json() == {"accepted": 3_000, "rejected": 0, "errors": []}
    assert all(n - written <= 501 for n, written in enumerate(seen))


async def test_an_erasure_names_the_pseudonym_and_never_the_raw_id(service: Service) -> None:
    answer = await service.call("DELETE", "/v1/users/ann@example.org")
    assert answer.status_code == 202
    assert service.log.erased == [service.shop.pseudonyms.user("ann@example.org")]
