"""Behaviour events on the wire."""

from typing import Annotated, Any

from pydantic import AwareDatetime, Field, FiniteFloat, model_validator

from features.events.event import EventType
from serving.http.schemas.wire import Id, Query, Wire


class EventIn(Wire):
    """One behaviour. Each event of a batch is judged alone."""

    event_id: Id
    type: EventType
    at: AwareDatetime
    user_id: Id | None = None
    session_id: Id | None = None
    item_id: Id | None = None
    query: Query | None = None
    ranking_id: Id | None = None
    position: Annotated[int, Field(ge=1, le=10_000)] | None = None
    value: Annotated[FiniteFloat, Field(ge=-1e9, le=1e9)] | None = None
    dwell_ms: Annotated[int, Field(ge=0, le=86_400_000)] | None = None

    @model_validator(mode="after")
    def _complete(self) -> "EventIn":
        if self.type is EventType.SEARCH:
            if self.query is None:
                raise ValueError("a search needs a query")
        elif self.item_id is None:
            raise ValueError(f"a {self.type.value} needs an item_id")
        if self.type is EventType.DWELL and self.dwell_ms is None:
            raise ValueError("a dwell needs dwell_ms")
        if self.user_id is None and self.session_id is None:
            raise ValueError("an event needs a user_id or a session_id")
        return self


class EventsRequest(Wire):
    """A batch of events; a bad one is rejected alone."""

    events: Annotated[list[Any], Field(min_length=1, max_length=500)]


class EventsSchema(Wire):
    """What EventsRequest looks like to a caller; the documented form of the request."""

    events: Annotated[list[EventIn], Field(min_length=1, max_length=500)]


class Rejected(Wire):
    """Why one entry of a batch was not taken."""

    index: int
    code: str
    detail: str


class EventsResponse(Wire):
    """Accepted events are durable when this is sent."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]
