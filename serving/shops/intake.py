"""What the storefront tells us of shoppers: events, erasures. Durable before the answer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from opentelemetry import trace

from features.events.event import BehaviorEvent
from features.events.log import AppendResult
from serving.shops.waiting_room import WaitingRoom
from serving.telemetry.stages import current_traceparent

_TRACER = trace.get_tracer("vitrine")


class EventWriter(Protocol):
    """The event log, as far as intake needs it."""

    def append(self, events: Sequence[BehaviorEvent]) -> AppendResult:
        """Durable when it returns."""
        ...

    def erase_user(self, user_id: str) -> object:
        """Forget a user here, and let every reader of the log know."""
        ...


class Intake:
    """Several threads append at once, since the log commits what arrives together in one sync."""

    def __init__(self, log: EventWriter, max_waiting: int = 64) -> None:
        self._log = log
        self._room = WaitingRoom("event log", 8, max_waiting)

    async def append(self, events: Sequence[BehaviorEvent]) -> AppendResult:
        """Take events; each carries the trace of this request, when it is sampled."""
        if not events:
            return AppendResult(0, 0)
        with _TRACER.start_as_current_span("events.append"):
            traceparent = current_traceparent()
            if traceparent is not None:
                events = [replace(event, traceparent=traceparent) for event in events]
            return await self._room.do(lambda: self._log.append(events))

    async def erase_user(self, user_id: str) -> None:
        """Erase the events, features and rankings of a shopper, by pseudonym."""
        await self._room.do(lambda: self._log.erase_user(user_id))
