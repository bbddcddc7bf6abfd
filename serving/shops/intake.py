"""What the storefront tells us of shoppers: events, erasures. Durable before the answer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from opentelemetry import trace

from features.events.event import BehaviorEvent
from features.events.log import AppendResult
from features.full import StoreFullError
from serving.shops.reserve import Reserve
from serving.shops.waiting_room import WaitingRoom
from serving.telemetry.stages import current_traceparent

_TRACER = trace.get_tracer("vitrine")


class EventWriter(Protocol):
    """The event log, as far as intake needs it."""

    def append(self, events: Sequence[BehaviorEvent]) -> AppendResult:
        """Durable when it returns."""
        ...

    def erase_user(self, user_id: str, since_s: float | None = None) -> int:
        """Forget a user here, and let every reader of the log know: by the entry at this place."""
        ...


class Taken(NamedTuple):
    """What became of a batch: the three together are its length."""

    accepted: int
    duplicates: int
    refused: Sequence[int] = ()  # places in the batch: there is room for what matters more only


class Intake:
    """Several threads append at once, since the log commits what arrives together in one sync."""

    def __init__(
        self, log: EventWriter, reserve: Reserve, max_waiting: int = 64, n_threads: int = 8
    ) -> None:
        self._log, self._reserve = log, reserve
        self._room = WaitingRoom("event log", n_threads, max_waiting)

    async def append(self, events: Sequence[BehaviorEvent]) -> Taken:
        """Take events; each carries the trace of this request, when it is sampled.

        Raises LogFullError when there is no room for any of them.
        """
        if not events:
            return Taken(0, 0)
        with _TRACER.start_as_current_span("events.append"):
            traceparent = current_traceparent()
            if traceparent is not None:
                events = [replace(event, traceparent=traceparent) for event in events]
            return await self._room.do(lambda: self._append(events))

    async def erase_user(self, user_id: str, since_s: float | None = None) -> int:
        """Erase the events, features and rankings of a shopper, by pseudonym; at which position of
        the log ingest meets it. since_s: only of this time and later."""
        return await self._room.do(lambda: self._log.erase_user(user_id, since_s))

    def close(self) -> None:
        """Take no more; what is under way ends."""
        self._room.close()

    def _append(self, events: Sequence[BehaviorEvent]) -> Taken:
        refused = [
            place for place, event in enumerate(events) if not self._reserve.takes(event.type)
        ]
        if len(refused) == len(events):
            raise StoreFullError("the rest of the room is for what matters more")
        without = set(refused)
        kept = [event for place, event in enumerate(events) if place not in without]
        appended = self._log.append(kept)
        return Taken(appended.accepted, appended.duplicates, refused)
