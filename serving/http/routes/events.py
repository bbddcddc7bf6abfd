"""Behaviour events: each of a batch is judged alone, and mapped to the event that is kept."""

import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from pydantic import ValidationError
from pydantic_core import to_json

from features.catalog.counters import DAY_S
from features.events.codec import event_of
from features.events.event import MAX_AGE_S, MAX_AHEAD_S, BehaviorEvent
from serving.http.auth import Keyring, Scope
from serving.http.bodies import json_response, read_body
from serving.http.dependencies import Scoped
from serving.http.openapi import takes
from serving.http.problems import first_problem
from serving.http.schemas.events import EventIn, EventsRequest, EventsResponse, Rejected
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.shop import Shop, Shops
from serving.telemetry.metrics import EVENTS


class EventRoutes:
    """The endpoint that takes events."""

    def __init__(self, shops: Shops, clock: Callable[[], float] = time.time) -> None:
        self._shops = shops
        self._clock = clock

    def add_to(self, app: FastAPI, keys: Keyring) -> None:
        """Register it; a key needs the scope `events`."""
        events = Depends(Scoped(keys, Scope.EVENTS))

        @app.post(
            "/v1/events",
            status_code=202,
            openapi_extra=takes(EventsRequest, EventsResponse, status=202),
        )
        async def post_events(request: Request, caller: Annotated[Any, events]) -> Response:
            """Take behaviour events; those accepted are durable when this answers."""
            body = await read_body(request, EventsRequest)
            taken = await self.take(self._shops.of(caller.shop), body)
            return json_response(taken.model_dump(), 202)

    async def take(self, shop: Shop, body: EventsRequest) -> EventsResponse:
        """Keep the good events, name the bad ones."""
        events: list[BehaviorEvent] = []
        rejected: list[Rejected] = []
        now_s = self._clock()
        for index, raw in enumerate(body.events):
            try:
                # As JSON again: strict validation takes a time from JSON, not from Python's str.
                event = EventIn.model_validate_json(to_json(raw))
                events.append(_event(event, shop.pseudonyms, now_s))
            except ValidationError as error:
                detail = first_problem(error)
                rejected.append(Rejected(index=index, code="invalid_event", detail=detail))
            except _BadTimeError as error:
                rejected.append(Rejected(index=index, code=error.args[0], detail=error.args[1]))
        appended = await shop.intake.append(events)
        EVENTS.labels(outcome="accepted").inc(appended.accepted)
        EVENTS.labels(outcome="duplicate").inc(appended.duplicates)
        EVENTS.labels(outcome="rejected").inc(len(rejected))
        return EventsResponse(
            accepted=appended.accepted, duplicates=appended.duplicates, rejected=rejected
        )


class _BadTimeError(Exception):
    """code, detail"""


def _event(event: EventIn, pseudonyms: Pseudonyms, now_s: float) -> BehaviorEvent:
    """The event as it is kept: fields of one name are the same, ids become pseudonyms."""
    at_s = now_s if event.at is None else event.at.timestamp()
    if at_s > now_s + MAX_AHEAD_S:
        raise _BadTimeError("event_in_future", f"at: more than {MAX_AHEAD_S:.0f} s from now")
    if at_s < now_s - MAX_AGE_S:
        raise _BadTimeError("event_too_old", f"at: more than {MAX_AGE_S / DAY_S:.0f} days ago")
    fields = dict(event)
    del fields["at"]
    fields["user_id"] = pseudonyms.user(event.user_id)
    fields["session_id"] = pseudonyms.session(event.session_id)
    return event_of({**fields, "at_s": min(at_s, now_s)})
