"""The durable catalogue, as a contract: the ingress writes it, every replica follows it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import NamedTuple, Protocol

import orjson

from features.catalog.item import Item

Edit = Callable[[Item | None], Item | None]
"""From the item as it is (None: not there) to what becomes of it (None: it stays as it is).

It may be asked again when somebody else was quicker, so it does nothing but this.
"""


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

    def edit(self, edits: Sequence[tuple[str, Edit]]) -> None:
        """Read, change and write items by id, durably; nobody else's write comes in between.

        Edits of one item follow each other.
        """
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

    def page(self, after: str, limit: int) -> list[Item]:
        """At most `limit` items with ids behind `after`, by id (in the order of UTF-8)."""
        ...

    def all(self) -> list[Item]:
        """All items, oldest change first."""
        ...

    def __len__(self) -> int: ...

    def close(self) -> None:
        """Give back files and connections."""
        ...


def by_item(edits: Sequence[tuple[str, Edit]]) -> dict[str, Edit]:
    """One edit for each id: those of one item, one after the other."""
    found: dict[str, list[Edit]] = {}
    for item_id, edit in edits:
        found.setdefault(item_id, []).append(edit)
    return {item_id: _in_turn(these) for item_id, these in found.items()}


def _in_turn(edits: Sequence[Edit]) -> Edit:
    def all_of_them(item: Item | None) -> Item | None:
        made = None
        for edit in edits:
            latest = edit(item)
            if latest is not None:
                item = made = latest
        return made

    return all_of_them


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
