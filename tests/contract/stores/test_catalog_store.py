"""The contract of the catalogue, over SQLite and over a real Redis."""

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from features.catalog.item import Item
from features.catalog.redis_store import RedisCatalog
from features.catalog.sqlite_store import SqliteCatalog
from features.catalog.store import Catalog

TEA = Item(
    "tea",
    "Green tea",
    "loose",
    "Drinks > Tea",
    "Leaf",
    3.5,
    "EUR",
    1_600_000_000.0,
    available=False,
    image_url="https://shop.example/tea.png",
    attributes={"size": "100 g"},
)
CUP = Item("cup", "Cup")
MUG = Item("mug", "Mug")


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    opened: Catalog
    if request.param == "sqlite":
        opened = SqliteCatalog(tmp_path / "items.db")
    else:
        client = Redis(port=request.getfixturevalue("redis_port"))
        client.flushall()
        opened = RedisCatalog(client)
    yield opened
    opened.close()


def test_an_item_comes_back_whole(catalog: Catalog) -> None:
    catalog.upsert([TEA, CUP])
    assert catalog.get("tea") == TEA
    cup = catalog.get("cup")
    assert cup is not None
    assert math.isnan(cup.price)
    assert math.isnan(cup.created_s)
    assert catalog.get("plate") is None
    assert len(catalog) == 2
    assert {item.item_id for item in catalog.all()} == {"tea", "cup"}


def test_changes_are_told_once_in_their_newest_form(catalog: Catalog) -> None:
    catalog.upsert([TEA, CUP])
    first = catalog.changed_since(0)
    assert {item.item_id for item in first.upserts} == {"tea", "cup"}
    assert first.deletions == []
    catalog.upsert([Item("tea", "Black tea")])
    assert catalog.delete("cup")
    second = catalog.changed_since(first.change)
    assert [item.title for item in second.upserts] == ["Black tea"]
    assert second.deletions == ["cup"]
    assert catalog.changed_since(second.change) == (second.change, [], [])


def test_deleting_what_is_not_there_is_told(catalog: Catalog) -> None:
    catalog.upsert([CUP])
    assert not catalog.delete("tea")
    assert catalog.delete("cup")
    assert not catalog.delete("cup")
    assert len(catalog) == 0
    assert catalog.get("cup") is None
    catalog.upsert([CUP])
    assert len(catalog) == 1
    assert catalog.changed_since(0).deletions == []


def test_an_empty_upsert_changes_nothing(catalog: Catalog) -> None:
    change = catalog.upsert([CUP])
    assert catalog.upsert([]) == change


def dearer(item: Item | None) -> Item | None:
    return None if item is None else replace(item, price=item.price + 1)


def test_an_edit_changes_what_is_there_and_tells_it_as_a_change(catalog: Catalog) -> None:
    catalog.upsert([TEA, CUP])
    seen = catalog.changed_since(0).change
    catalog.edit([("tea", dearer), ("tea", dearer), ("plate", dearer), ("mug", lambda _: MUG)])
    assert catalog.get("tea") == replace(TEA, price=5.5)
    assert catalog.get("plate") is None
    assert {item.item_id for item in catalog.changed_since(seen).upserts} == {"tea", "mug"}
    catalog.delete("mug")
    seen = catalog.changed_since(0).change
    catalog.edit([("mug", dearer)])
    assert catalog.changed_since(seen) == (seen, [], [])


def test_edits_at_once_are_all_counted(catalog: Catalog) -> None:
    catalog.upsert([TEA])
    threads = [threading.Thread(target=catalog.edit, args=([("tea", dearer)],)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tea = catalog.get("tea")
    assert tea is not None
    assert tea.price == TEA.price + 12


def test_pages_tell_each_item_once_by_id(catalog: Catalog) -> None:
    ids = ["a", "b/c", "ä", "Z", "\x00", "茶", "0"]
    catalog.upsert([Item(item_id, "x") for item_id in [*ids, "gone"]])
    catalog.delete("gone")
    listed: list[str] = []
    while page := catalog.page(listed[-1] if listed else "", 3):
        listed += [item.item_id for item in page]
    assert listed == sorted(ids, key=str.encode)


@pytest.mark.redis
def test_pages_know_what_an_older_version_wrote(request: pytest.FixtureRequest) -> None:
    client = Redis(port=request.getfixturevalue("redis_port"))
    client.flushall()
    catalog = RedisCatalog(client)
    catalog.upsert([CUP, TEA])
    client.delete("{vitrine}:item_ids")
    catalog.upsert([MUG])
    assert [item.item_id for item in catalog.page("", 9)] == ["cup", "mug", "tea"]
    catalog.close()


def test_another_process_sees_the_change_without_reopening(tmp_path: Path) -> None:
    writer, reader = (SqliteCatalog(tmp_path / "items.db") for _ in range(2))
    assert reader.changed_since(0).upserts == []
    writer.upsert([TEA])
    assert reader.changed_since(0).upserts == [TEA]
    writer.close()
    reader.close()
