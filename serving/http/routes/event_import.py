"""Years of behaviour as they come: one event a line, into the log that live events go to.

Ingest folds the log in order, so what an import has put there is before the next live event. Lines
are taken only while little of the log waits.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import orjson
from fastapi import Request, Response

from features.events.event import BehaviorEvent
from serving.errors import LogFullError
from serving.http.bodies import json_response
from serving.http.middleware import problem
from serving.http.openapi import ref
from serving.http.routes.event_entries import OBJECTED, RefusedError, judge_events, kept
from serving.http.routes.item_import import MOST_ERRORS, NDJSON, batches, lines, lines_of
from serving.http.schemas.events import EventIn, EventsImported, RejectedLine
from serving.shops.shop import Shop, ShopLog, Shops
from serving.telemetry.metrics import EVENTS

_EARLIEST_S = 946_684_800.0  # 2000-01-01: what is older is a wrong unit, not a shopper
_LOOK_S = 0.02
_LAG_S = 1.0  # a live event may wait so long behind an import
_RETRY_S = 2


class Pace:
    """How fast an import may come: as fast as ingest, the log's reader called `consumer`, folds.

    most_waiting: entries that may wait for it; fewer where it takes more than a second for them.
    hold_s: how long a stream is held for them to become fewer
    """

    def __init__(self, consumer: str, most_waiting: int, hold_s: float = 10.0) -> None:
        self._consumer = consumer
        self._most = most_waiting
        self._hold_s = hold_s
        self._window = float(most_waiting)
        self._applied_seq = 0

    async def admits(self, log: ShopLog) -> bool:
        """Wait until more may be taken; False when that takes too long."""
        deadline_s = time.monotonic() + self._hold_s
        while True:
            logged, folded = await self.positions(log)
            if logged - folded <= self._window:
                return True
            if time.monotonic() >= deadline_s:
                return False
            await asyncio.sleep(_LOOK_S)

    async def positions(self, log: ShopLog) -> tuple[int, int]:
        """The newest position of the log, and how far ingest has come."""
        logged, folded, status = await asyncio.to_thread(
            lambda: (log.last_seq(), log.offset(self._consumer), log.status(self._consumer))
        )
        self._follow(orjson.loads(status) if status else {})
        return logged, folded

    def _follow(self, status: dict[str, Any]) -> None:
        """Once for each batch: what took twice as long as it may makes the window half as wide."""
        if status.get("applied_seq", 0) == self._applied_seq:
            return
        self._applied_seq = status["applied_seq"]
        wider = self._window * min(_LAG_S / max(status["lag_s"], 1e-3), 2.0)
        self._window = min(max(wider, self._most / 10), self._most)


class EventImport:
    """Takes NDJSON; each line is judged alone. max_line: bytes of a line; pace: a new one, for each
    shop."""

    def __init__(
        self, max_line: int, pace: Callable[[], Pace], clock: Callable[[], float] = time.time
    ) -> None:
        self._max_line = max_line
        self._new_pace = pace
        self._paces: dict[str, Pace] = {}  # by shop
        self._clock = clock
        answer = {"description": "Done.", "content": {"application/json": {
            "schema": ref(EventsImported)}}}  # fmt: skip
        body = {"required": True, "content": {NDJSON: {"schema": lines_of(EventIn)}}}
        self.document: dict[str, Any] = {"requestBody": body, "responses": {"200": answer}}

    async def answer(self, request: Request, shop: Shop, shops: Shops) -> Response:
        """Keep events as they come. Of a stream that breaks off, what was kept stays.

        shops: that `shop` is one of; it may be opened anew meanwhile. Raises ConflictError when it
        is removed.
        """
        done: dict[str, Any] = {
            "lines": 0, "accepted": 0, "duplicates": 0, "rejected": 0, "errors": [],
        }  # fmt: skip
        pace = self._paces.setdefault(shop.name, self._new_pace())
        stopped: tuple[str, str] | None = None  # code, detail
        async for batch in batches(lines(request.stream(), self._max_line)):
            shop = shops.now(shop)
            if not await pace.admits(shop.log):
                stopped = ("overloaded", "")
                break
            if not await self._take(batch, shop, done):
                stopped = (LogFullError.code, "the log is nearly full: ")
                break
        logged, folded = await pace.positions(shop.log)
        taken = EventsImported(**done, logged=logged, folded=folded).model_dump()
        if stopped:
            code, why = stopped
            detail = f"{why}{logged - folded} events wait for ingest"
            return problem(request, 503, code, detail, _RETRY_S, taken=taken)
        return json_response(taken)

    async def _take(
        self, batch: list[tuple[int, bytes | None]], shop: Shop, done: dict[str, Any]
    ) -> bool:
        """False: the log has no room for all of it; what it took is a duplicate the next time."""
        now_s = self._clock()

        def keep(event: EventIn) -> BehaviorEvent:
            if event.at is None:
                raise RefusedError("invalid_event", "at: an import tells when it happened")
            if event.at.timestamp() < _EARLIEST_S:
                raise RefusedError("event_too_old", "at: before the year 2000")
            return kept(event, shop, now_s)

        good = [(number, line) for number, line in batch if line is not None]
        judged = await asyncio.to_thread(judge_events, good, keep)
        for number, line in batch:
            if line is None:
                judged.refused[number] = ("line_too_long", f"longer than {self._max_line} bytes")
        try:
            appended = await shop.intake.append(judged.events)
        except LogFullError:
            return False
        if appended.refused:
            return False
        counts = {
            "accepted": appended.accepted,
            "duplicates": appended.duplicates,
            "rejected": len(judged.refused),
        }
        for name, count in counts.items():
            done[name] += count
        counts["rejected"] -= judged.objected  # apart from what is bad: that tells of a mistake
        for outcome, count in {**counts, OBJECTED: judged.objected}.items():
            EVENTS.labels(shop.name, outcome.removesuffix("s")).inc(count)
        done["lines"] = batch[-1][0]
        done["errors"] += [
            RejectedLine(line=number, code=code, detail=detail)
            for number, (code, detail) in sorted(judged.refused.items())
        ][: MOST_ERRORS - len(done["errors"])]
        return True
