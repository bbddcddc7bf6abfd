"""Behaviour events on the wire."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field, FiniteFloat, model_validator

from features.events.event import OF_ANSWERS, OF_KINDS, EventType
from serving.http.schemas.rankings import CategoryPath
from serving.http.schemas.wire import Id, Query, Wire

# As in a data set, "" is nothing: a guest has no user_id (docs/data.md).
_Empty = BeforeValidator(lambda value: None if value == "" else value)


class EventIn(Wire):
    """One behaviour. Each event of a batch is judged alone."""

    event_id: Id
    type: EventType
    at: AwareDatetime | None = Field(None, description="When it comes in, if left out.")
    user_id: Annotated[Id | None, _Empty] = Field(None, description='"" is a guest, as null is.')
    session_id: Annotated[Id | None, _Empty] = None
    item_id: Annotated[Id | None, _Empty] = None
    query: Annotated[Query | None, _Empty] = None
    ranking_id: Annotated[Id | None, _Empty] = None
    position: Annotated[int, Field(ge=1, le=10_000)] | None = None
    value: Annotated[FiniteFloat, Field(ge=-1e9, le=1e9)] | None = None
    dwell_ms: Annotated[int, Field(ge=0, le=86_400_000)] | None = None
    brand: Annotated[Id | None, _Empty] = Field(
        None, description="Of a hide, unhide or forget: all of the brand, in place of an item."
    )
    category: Annotated[CategoryPath | None, _Empty] = Field(
        None, description="The same of a category path, with all below it."
    )
    consent: bool | None = Field(
        None, description="Whether the shopper agreed to be learnt from; false: it is not kept."
    )
    answer_id: Annotated[Id | None, _Empty] = Field(
        None, description="That was judged; of a handed_over, that the human gave."
    )

    @model_validator(mode="after")
    def _complete(self) -> "EventIn":
        if self.type in OF_ANSWERS:
            self._check_answer()
        elif self.type is EventType.SEARCH:
            if self.query is None:
                raise ValueError("a search needs a query")
        elif self.type is EventType.SIGN_IN:
            if self.user_id is None or self.session_id is None:
                raise ValueError("a sign_in needs a user_id and a session_id")
        elif self.type in OF_KINDS and (self.brand or self.category):
            if sum(each is not None for each in (self.item_id, self.brand, self.category)) != 1:
                raise ValueError(f"a {self.type.value} is of an item_id, a brand or a category")
        elif self.type is EventType.FORGET:
            raise ValueError("a forget needs a brand or a category")
        elif self.item_id is None:
            raise ValueError(f"a {self.type.value} needs an item_id")
        if self.type is EventType.DWELL and self.dwell_ms is None:
            raise ValueError("a dwell needs dwell_ms")
        if self.type not in OF_KINDS and (self.brand or self.category):
            raise ValueError(f"a {self.type.value} has no brand and no category: its item has")
        if self.answer_id is not None and self.type not in OF_ANSWERS:
            raise ValueError(f"a {self.type.value} has no answer_id")
        if self.user_id is None and self.session_id is None:
            raise ValueError("an event needs a user_id or a session_id")
        return self

    def _check_answer(self) -> None:
        if self.query is None:
            raise ValueError(f"a {self.type.value} needs a query, the question")
        if self.answer_id is None and self.type is not EventType.HANDED_OVER:
            raise ValueError(f"a {self.type.value} needs an answer_id")
        if self.item_id is not None:
            raise ValueError(f"a {self.type.value} is of an answer, and has no item_id")


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


class RejectedLine(Wire):
    """Why one line of an import was not taken."""

    line: int = Field(description="From 1.")
    code: str
    detail: str


class EventsImported(Wire):
    """Counts of lines; what was accepted is durable."""

    lines: int = Field(description="The last line that was read, from 1.")
    accepted: int
    duplicates: int
    rejected: int
    errors: list[RejectedLine] = Field(description="The first 100.")
    logged: int = Field(description="The newest position of the event log.")
    folded: int = Field(description="How far ingest has come: up to here events are features.")
