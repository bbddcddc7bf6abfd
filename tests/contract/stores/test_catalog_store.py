"""The contract of the catalogue, over SQLite and over a real Redis."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from features.catalog.item import Item
from features.catalog.redis_store import RedisCatalog
from features.catalog.sqlite_store import SqliteCatalog
from features.catalog.store import Catalog
from tests.support.redis_server import redis_server, skip_without_redis

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


@pytest.fixture(scope="module")
def redis_port(request: pytest.FixtureRequest) -> Iterator[int]:
    with redis_server(skip_without_redis(request)) as port:
        yield port


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


def test_another_process_sees_the_change_without_reopening(tmp_path: Path) -> None:
    writer, reader = (SqliteCatalog(tmp_path / "items.db") for _ in range(2))
    assert reader.changed_since(0).upserts == []
    writer.upsert([TEA])
    assert reader.changed_since(0).upserts == [TEA]
    writer.close()
    reader.close()
