"""The durable catalogue, as a contract: the ingress writes it, every replica follows it."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple, Protocol

import orjson

from features.catalog.item import Item


class CatalogChanges(NamedTuple):
    """What happened behind a change number; ask again with `change` to go on from there."""

    change: int
    upserts: list[Item]
    deletions: list[str]


class Catalog(Protocol):
    """Items by id, with a log of changes that replicas follow."""

    def upsert(self, items: Sequence[Item]) -> int:
        """Add or replace items, durably; returns the change number they got."""
        ...

    def delete(self, item_id: str) -> bool:
        """Remove an item; False when it was not there."""
        ...

    def get(self, item_id: str) -> Item | None:
        """The item, None when unknown or deleted."""
        ...

    def changed_since(self, change: int) -> CatalogChanges:
        """Every item added, replaced or deleted behind `change`, in its newest form."""
        ...

    def all(self) -> list[Item]:
        """All items, oldest change first."""
        ...

    def __len__(self) -> int: ...

    def close(self) -> None:
        """Give back files and connections."""
        ...


def item_bytes(item: Item) -> bytes:
    """An item as JSON."""
    return orjson.dumps(asdict(item))  # NaN becomes null


def item_from(record: bytes) -> Item:
    """The item that `item_bytes` was given."""
    values = orjson.loads(record)
    for name in ("price", "created_s"):
        if values[name] is None:
            values[name] = math.nan
    return Item(**values)
