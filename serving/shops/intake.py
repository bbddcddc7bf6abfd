"""What the storefront tells us: events, items, erasures. Durable before the answer."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from opentelemetry import trace

from features.catalog.item import Item
from features.events.event import BehaviorEvent
from features.events.log import AppendResult
from serving.errors import OverloadedError
from serving.telemetry.stages import current_traceparent

_TRACER = trace.get_tracer("vitrine")

_T = TypeVar("_T")


class EventWriter(Protocol):
    """The event log, as far as intake needs it."""

    def append(self, events: Sequence[BehaviorEvent]) -> AppendResult:
        """Durable when it returns."""
        ...

    def erase_user(self, user_id: str) -> object:
        """Forget a user here, and let every reader of the log know."""
        ...


class CatalogWriter(Protocol):
    """The durable catalogue."""

    def upsert(self, items: Sequence[Item]) -> object:
        """Durable when it returns."""
        ...

    def delete(self, item_id: str) -> bool:
        """False when it was not there."""
        ...


class Intake:
    """Writes, in threads: the event loop never waits for a disk.

    Several threads append at once, since the log commits what arrives together in one sync. More
    than `max_waiting` writes are refused at once: a full disk must not fill the memory, too.
    """

    def __init__(self, log: EventWriter, catalog: CatalogWriter, max_waiting: int = 64) -> None:
        self._log = log
        self._catalog = catalog
        self._max_waiting = max_waiting
        self._waiting = 0
        self._writers = ThreadPoolExecutor(8, thread_name_prefix="intake")

    async def append(self, events: Sequence[BehaviorEvent]) -> AppendResult:
        """Take events; each carries the trace of this request, when it is sampled."""
        if not events:
            return AppendResult(0, 0)
        with _TRACER.start_as_current_span("events.append"):
            traceparent = current_traceparent()
            if traceparent is not None:
                events = [replace(event, traceparent=traceparent) for event in events]
            return await self._write(lambda: self._log.append(events))

    async def upsert(self, items: Sequence[Item]) -> None:
        """Add or replace items."""
        await self._write(lambda: self._catalog.upsert(items))

    async def delete_item(self, item_id: str) -> None:
        """Take an item out of every later ranking; an unknown one is gone already."""
        await self._write(lambda: self._catalog.delete(item_id))

    async def erase_user(self, user_id: str) -> None:
        """Erase the events, features and rankings of a shopper, by pseudonym."""
        await self._write(lambda: self._log.erase_user(user_id))

    async def _write(self, write: Callable[[], _T]) -> _T:
        if self._waiting >= self._max_waiting:
            raise OverloadedError("too many writes are under way", 1)
        self._waiting += 1
        written = asyncio.get_running_loop().run_in_executor(self._writers, write)
        written.add_done_callback(self._written)
        # A caller that leaves takes nothing back; the write counts as waiting until it is done.
        return await asyncio.shield(written)

    def _written(self, done: "asyncio.Future[Any]") -> None:
        self._waiting -= 1
        if not done.cancelled():
            done.exception()  # it is seen, whether or not the caller still waits
