"""What the shop tells of its items, and asks of them: the durable catalogue, kept up to date."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from features.catalog.item import Item
from features.catalog.store import Edit
from serving.errors import OverloadedError

_T = TypeVar("_T")


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
    """Reads and writes, in threads: the event loop never waits for a disk.

    More than `max_waiting` at a time are refused: a full disk must not fill the memory, too.
    """

    def __init__(self, catalog: CatalogKeeper, max_waiting: int = 32) -> None:
        self._catalog = catalog
        self._max_waiting = max_waiting
        self._waiting = 0
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="upkeep")

    async def edit(self, edits: Sequence[tuple[str, Edit]]) -> None:
        """Change items; on disk when it returns. Raises OverloadedError, as all of these."""
        if edits:
            await self._in_thread(lambda: self._catalog.edit(edits))

    async def delete(self, item_id: str) -> None:
        """Take an item out of every later ranking; an unknown one is gone already."""
        await self._in_thread(lambda: self._catalog.delete(item_id))

    async def get(self, item_id: str) -> Item | None:
        """The item as it was last written; None when there is none."""
        return await self._in_thread(lambda: self._catalog.get(item_id))

    async def page(self, after: str, limit: int) -> list[Item]:
        """At most `limit` items with ids behind `after`, by id."""
        return await self._in_thread(lambda: self._catalog.page(after, limit))

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        if self._waiting >= self._max_waiting:
            raise OverloadedError("the catalogue is busy", 1)
        self._waiting += 1
        working = asyncio.get_running_loop().run_in_executor(self._threads, work)
        working.add_done_callback(self._done)
        # A caller that leaves takes nothing back; the write counts as waiting until it is done.
        return await asyncio.shield(working)

    def _done(self, working: "asyncio.Future[_T]") -> None:
        self._waiting -= 1
        if not working.cancelled():
            working.exception()  # it is seen, whether or not the caller still waits
