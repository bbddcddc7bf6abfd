"""What the storefront tells us: events, items, erasures. Durable before the answer."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from opentelemetry import trace
from pydantic import ValidationError
from pydantic_core import to_json

from features.catalog.counters import DAY_S
from features.catalog.item import CATEGORY_SEPARATOR, Item
from features.events.event import BehaviorEvent
from features.events.log import AppendResult, RankingRecord
from serving.errors import OverloadedError
from serving.http.auth import Pseudonyms
from serving.http.problems import first_problem
from serving.http.schemas.rankings import (
    EventIn,
    EventsRequest,
    EventsResponse,
    ItemsRequest,
    Rejected,
)
from serving.ranking.values import Slate
from serving.telemetry.metrics import EVENTS, RANKINGS_LOST
from serving.telemetry.stages import current_traceparent

_LOG = logging.getLogger("vitrine.intake")
_TRACER = trace.get_tracer("vitrine")

MAX_FUTURE_S = 300.0  # clocks of shoppers' devices differ; more than this is a mistake
MAX_AGE_S = 400 * DAY_S  # older behaviour says nothing about today

_T = TypeVar("_T")


class Log(Protocol):
    """The event log, as far as the ingress needs it."""

    def append(self, events: Sequence[BehaviorEvent]) -> AppendResult:
        """Durable when it returns."""
        ...

    def append_rankings(self, rankings: Sequence[RankingRecord]) -> None:
        """Keep answered rankings."""
        ...

    def erase_user(self, user_id: str) -> object:
        """Forget a user here, and let every reader of the log know."""
        ...


class Catalog(Protocol):
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

    def __init__(
        self,
        log: Log,
        catalog: Catalog,
        pseudonyms: Pseudonyms,
        clock: Callable[[], float] = time.time,
        max_waiting: int = 64,
    ) -> None:
        self._log = log
        self._catalog = catalog
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._max_waiting = max_waiting
        self._waiting = 0
        self._writers = ThreadPoolExecutor(8, thread_name_prefix="intake")

    async def events(self, asked: EventsRequest) -> EventsResponse:
        """Take the good events, name the bad ones."""
        events: list[BehaviorEvent] = []
        rejected: list[Rejected] = []
        now_s = self._clock()
        for index, raw in enumerate(asked.events):
            try:
                # As JSON again: strict validation takes a time from JSON, not from Python's str.
                events.append(self._event(EventIn.model_validate_json(to_json(raw)), now_s))
            except ValidationError as error:
                rejected.append(
                    Rejected(index=index, code="invalid_event", detail=first_problem(error))
                )
            except _BadTimeError as error:
                rejected.append(Rejected(index=index, code=error.args[0], detail=error.args[1]))
        taken = AppendResult(0, 0)
        if events:
            with _TRACER.start_as_current_span("events.append"):
                traceparent = current_traceparent()
                if traceparent is not None:
                    events = [replace(event, traceparent=traceparent) for event in events]
                taken = await self._write(lambda: self._log.append(events))
        EVENTS.labels(outcome="accepted").inc(taken.accepted)
        EVENTS.labels(outcome="duplicate").inc(taken.duplicates)
        EVENTS.labels(outcome="rejected").inc(len(rejected))
        return EventsResponse(
            accepted=taken.accepted, duplicates=taken.duplicates, rejected=rejected
        )

    async def items(self, asked: ItemsRequest) -> int:
        """Add or replace items; the number taken."""
        now_s = self._clock()
        items = [
            Item(
                item_id=item.item_id,
                title=item.title,
                description=item.description,
                category=_path(item.category),
                brand=item.brand,
                price=math.nan if item.price is None else item.price,
                currency=item.currency,
                created_s=now_s,  # the catalogue keeps an older one
                available=item.available,
                image_url=item.image_url,
                attributes=dict(item.attributes),
            )
            for item in asked.items
        ]
        await self._write(lambda: self._catalog.upsert(items))
        return len(items)

    async def delete_item(self, item_id: str) -> None:
        """Take an item out of every later ranking; an unknown one is gone already."""
        await self._write(lambda: self._catalog.delete(item_id))

    async def erase_user(self, user_id: str) -> None:
        """Erase a shopper's events, features and rankings."""
        pseudonym = self._pseudonyms.user(user_id)
        assert pseudonym is not None
        await self._write(lambda: self._log.erase_user(pseudonym))

    def record(self, slates: list[Slate]) -> None:
        """Write answered rankings; blocks, so it is called from the recorder's own thread."""
        try:
            self._log.append_rankings([_record(slate) for slate in slates])
        except Exception:
            # A lost record costs a training row; a failed answer would cost a shopper.
            RANKINGS_LOST.inc(len(slates))
            _LOG.exception("%d rankings were not recorded", len(slates))

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

    def _event(self, event: EventIn, now_s: float) -> BehaviorEvent:
        at_s = event.at.timestamp()
        if at_s > now_s + MAX_FUTURE_S:
            raise _BadTimeError("event_in_future", f"at: more than {MAX_FUTURE_S:.0f} s from now")
        if at_s < now_s - MAX_AGE_S:
            raise _BadTimeError("event_too_old", f"at: more than {MAX_AGE_S / DAY_S:.0f} days ago")
        return BehaviorEvent(
            event_id=event.event_id,
            type=event.type,
            at_s=min(at_s, now_s),
            user_id=self._pseudonyms.user(event.user_id),
            session_id=self._pseudonyms.session(event.session_id),
            item_id=event.item_id,
            query=event.query,
            ranking_id=event.ranking_id,
            position=event.position,
            value=event.value,
            dwell_ms=event.dwell_ms,
        )


class _BadTimeError(Exception):
    """code, detail"""


def _path(category: str) -> str:
    """The category path in the catalogue's own writing; nothing but separators is no category."""
    return CATEGORY_SEPARATOR.join(filter(None, (name.strip() for name in category.split(">"))))


def _record(slate: Slate) -> RankingRecord:
    request = slate.request
    return RankingRecord(
        ranking_id=request.ranking_id,
        at_s=request.at_s,
        user_id=request.user_id,
        session_id=request.session_id,
        query=request.query,
        route=slate.route.value,
        model_version=slate.scores.model_version,
        item_ids=tuple(request.item_ids[index] for index in slate.order.tolist()),
        scores=slate.scores.values[slate.order],
        propensities=slate.propensity,
        features=slate.features.values[slate.order],
    )
