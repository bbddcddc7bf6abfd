"""Behaviour events: each of a batch is judged alone, and mapped to the event that is kept."""

import time
from collections.abc import Callable

from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import APIKeyQuery
from pydantic_core import to_json

from features.catalog.counters import DAY_S
from features.events.event import MAX_AGE_S, BehaviorEvent, EventType
from serving.errors import ForbiddenError, InvalidRequestError, LogFullError
from serving.http.access.auth import Keyring, Publishable, Scope
from serving.http.access.cross_origin import EVENTS_PATH, PREFLIGHT
from serving.http.bodies import json_response, read_body
from serving.http.dependencies import Scoped
from serving.http.direct import caller_of, direct
from serving.http.openapi import takes
from serving.http.routes.event_entries import OBJECTED, RefusedError, judge_events, kept
from serving.http.routes.event_import import EventImport
from serving.http.schemas.events import EventIn, EventsRequest, EventsResponse, Rejected
from serving.shops.shop import Shop, Shops
from serving.telemetry.metrics import EVENTS

# What anyone could send is believed less: it is of today, without money, and comes in small posts.
PAGE_AGE_S = DAY_S
PAGE_EVENTS = 50
_OF_THE_SERVER = frozenset({EventType.PURCHASE, EventType.RETURN})
# Events that pages tell have ids of their own: nobody can use up the id of an order's purchase.
_PAGE_ID = "page:"
_NO_ROOM = "type: the log is nearly full, and takes what matters more only; send it again later"
_URL_KEY = APIKeyQuery(
    name="key", scheme_name="PublishableKey", description="A publishable key.", auto_error=False
)


class EventRoutes:
    """The endpoints that take events, live ones and those of the past (`importing`)."""

    def __init__(
        self, shops: Shops, importing: EventImport, clock: Callable[[], float] = time.time
    ) -> None:
        self._shops = shops
        self._import = importing
        self._clock = clock

    def add_to(self, app: FastAPI, keys: Keyring) -> None:
        """Register them; a key needs the scope `events`."""
        events = Scoped(keys, Scope.EVENTS)

        @app.options(EVENTS_PATH, include_in_schema=False)
        async def may_post_events(request: Request) -> Response:
            """What a browser asks before it posts what a page of another origin has."""
            if not keys.lists(request.headers.get("origin")):
                raise ForbiddenError("no publishable key lists this origin")
            return Response(status_code=204, headers=PREFLIGHT)

        @direct(
            app,
            EVENTS_PATH,
            events,
            Depends(_URL_KEY),
            status_code=202,
            openapi_extra=takes(EventsRequest, EventsResponse, status=202),
        )
        async def post_events(request: Request) -> Response:
            """Take behaviour events; those accepted are durable when this answers.

            The body is read as JSON whatever its content type, since a beacon's is text/plain.
            """
            body, caller = await read_body(request, EventsRequest), caller_of(request)
            taken = await self.take(self._shops.of(caller.shop), body, caller.publishable)
            return json_response(taken.model_dump(), 202)

        @direct(app, "/v1/events/import", events, openapi_extra=self._import.document)
        async def import_events(request: Request) -> Response:
            """Take the behaviour of years, one event a line, however old.

            An `event_id` that is there already is a duplicate and changes nothing, so lines may be
            sent again. While ingest is behind, the stream is held; after a while the answer is a
            503 whose `taken` counts as this answer does: go on behind its `lines`.
            """
            caller = caller_of(request)
            if caller.publishable:
                raise ForbiddenError("an import needs a secret key")
            shop = self._shops.of(caller.shop)
            return await self._import.answer(request, shop, self._shops)

    async def take(
        self, shop: Shop, body: EventsRequest, page: Publishable | None = None
    ) -> EventsResponse:
        """Keep the good events, name the bad ones and those that there is no room for.

        Raises InvalidRequestError, and LogFullError when there is room for none of the good ones.

        page: what holds of the publishable key that they came with; None: the key was a secret.
        """
        if page and len(body.events) > PAGE_EVENTS:
            raise InvalidRequestError(f"events: a publishable key posts {PAGE_EVENTS} at most")
        now_s = self._clock()

        def keep(event: EventIn) -> BehaviorEvent:
            if page:
                event = _told_by_a_page(event, page, now_s)
            if event.at is not None and event.at.timestamp() < now_s - MAX_AGE_S:
                raise RefusedError(
                    "event_too_old", f"at: more than {MAX_AGE_S / DAY_S:.0f} days ago"
                )
            return kept(event, shop, now_s)

        # As JSON again: strict validation takes a time from JSON, not from Python's str.
        judged = judge_events(enumerate(map(to_json, body.events)), keep)
        rejected = [
            Rejected(index=index, code=code, detail=detail)
            for index, (code, detail) in judged.refused.items()
        ]
        EVENTS.labels(shop.name, "rejected").inc(len(rejected) - judged.objected)
        EVENTS.labels(shop.name, OBJECTED).inc(judged.objected)
        try:
            taken = await shop.intake.append(judged.events)
        except LogFullError:
            EVENTS.labels(shop.name, "refused").inc(len(judged.events))
            raise
        EVENTS.labels(shop.name, "accepted").inc(taken.accepted)
        EVENTS.labels(shop.name, "duplicate").inc(taken.duplicates)
        EVENTS.labels(shop.name, "refused").inc(len(taken.refused))
        rejected += [
            Rejected(index=judged.numbers[place], code=LogFullError.code, detail=_NO_ROOM)
            for place in taken.refused
        ]
        rejected.sort(key=lambda each: each.index)
        return EventsResponse(
            accepted=taken.accepted, duplicates=taken.duplicates, rejected=rejected
        )


def _told_by_a_page(event: EventIn, key: Publishable, now_s: float) -> EventIn:
    """The event if a publishable key may tell it: it can be forged by anyone who reads the page."""
    if event.type in _OF_THE_SERVER:
        raise RefusedError("not_publishable", f"type: a {event.type} needs a secret key")
    if event.value is not None:
        raise RefusedError("not_publishable", "value: money needs a secret key")
    if event.user_id is not None and not key.user_ids:
        raise RefusedError("not_publishable", "user_id: this key may name sessions only")
    if event.at is not None and event.at.timestamp() < now_s - PAGE_AGE_S:
        raise RefusedError("event_too_old", "at: more than a day ago, with a publishable key")
    return event.model_copy(update={"event_id": _PAGE_ID + event.event_id})
