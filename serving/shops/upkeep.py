"""What the shop tells of its items, and asks of them: the durable catalogue, kept up to date."""

from collections.abc import Sequence
from typing import Protocol

from features.catalog.item import Item
from features.catalog.store import Edit
from features.full import StoreFullError
from serving.shops.reserve import Reserve
from serving.shops.waiting_room import WaitingRoom


class CatalogKeeper(Protocol):
    """`features.catalog.store.Catalog`, as far as its upkeep needs it."""

    def edit(self, edits: Sequence[tuple[str, Edit]]) -> None:
        """Durable when it returns."""
        ...

    def delete(self, item_id: str) -> bool:
        """False when it was not there."""
        ...

    def get(self, item_id: str) -> Item | None:
        """As it is now, not as this replica has taken it over."""
        ...

    def page(self, after: str, limit: int) -> list[Item]:
        """Items by id."""
        ...


class Upkeep:
    """Reads and writes; what is written is on disk when it returns."""

    def __init__(
        self, catalog: CatalogKeeper, reserve: Reserve, max_waiting: int = 32, n_threads: int = 4
    ) -> None:
        self._catalog, self._reserve = catalog, reserve
        self._room = WaitingRoom("catalogue", n_threads, max_waiting)

    async def edit(self, edits: Sequence[tuple[str, Edit]]) -> None:
        """Change items; on disk when it returns.

        Raises LogFullError when the rest of the room is for purchases, OverloadedError as all of
        these.
        """
        if edits:
            await self._room.do(lambda: self._edit(edits))

    def _edit(self, edits: Sequence[tuple[str, Edit]]) -> None:
        if not self._reserve.takes_items():
            raise StoreFullError("the rest of the room is for purchases")
        self._catalog.edit(edits)

    def close(self) -> None:
        """Take no more; what is under way ends."""
        self._room.close()

    async def delete(self, item_id: str) -> None:
        """Take an item out of every later ranking; an unknown one is gone already."""
        await self._room.do(lambda: self._catalog.delete(item_id))

    async def get(self, item_id: str) -> Item | None:
        """The item as it was last written; None when there is none."""
        return await self._room.do(lambda: self._catalog.get(item_id))

    async def page(self, after: str, limit: int) -> list[Item]:
        """At most `limit` items with ids behind `after`, by id."""
        return await self._room.do(lambda: self._catalog.page(after, limit))
