"""The wire contract: what comes in is validated here, once. docs/api.md is its reference."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    field_validator,
    model_validator,
)

from features.events.event import EventType
from serving.types import Reason, Route

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def _plausible(at: datetime) -> datetime:
    """Times near the ends of the calendar cannot be converted to UTC."""
    if not _EARLIEST <= at < _LATEST:
        raise ValueError("a time from 2000 to 2199 is wanted")
    return at


Id = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Query = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Text = Annotated[str, StringConstraints(max_length=8192)]
Score = Annotated[FiniteFloat, Field(ge=-1e9, le=1e9)]
Time = Annotated[AwareDatetime, AfterValidator(_plausible)]


class Wire(BaseModel):
    """Closed and strict: a misspelt field is not ignored in silence, "20" is not a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Candidate(Wire):
    """An item offered for ranking."""

    item_id: Id
    retrieval_score: Score | None = None


class Context(Wire):
    """Where and when the ranking will be shown."""

    device: Annotated[str, StringConstraints(max_length=32)] | None = None
    locale: Annotated[str, StringConstraints(max_length=35)] | None = None
    page: Annotated[str, StringConstraints(max_length=64)] | None = None
    at: Time | None = Field(None, description="Rank as of this time; now when absent.")


class Filters(Wire):
    """Only items that satisfy all of these are ranked."""

    category: str | None = Field(
        None, min_length=1, max_length=512, description="A category path or a prefix of it."
    )
    brand: Annotated[list[Id], Field(min_length=1, max_length=50)] | None = None
    min_price: Annotated[FiniteFloat, Field(ge=0)] | None = None
    max_price: Annotated[FiniteFloat, Field(ge=0)] | None = None
    exclude_item_ids: Annotated[list[Id], Field(max_length=1000)] = []
    available: bool | None = Field(True, description="null: also items that are sold out.")


class _Ranking(Wire):
    user_id: Id | None = None
    session_id: Id | None = None
    context: Context = Context()
    filters: Filters | None = None
    explain: bool = False
    budget_ms: Annotated[int, Field(ge=1, le=5000)] | None = None


class RankRequest(_Ranking):
    """Put these candidates in the best order for this shopper."""

    query: Query | None = None
    candidates: Annotated[list[Candidate], Field(min_length=1, max_length=1000)]
    limit: Annotated[int, Field(ge=1, le=1000)] | None = None

    @field_validator("candidates")
    @classmethod
    def _distinct(cls, candidates: list[Candidate]) -> list[Candidate]:
        seen: set[str] = set()
        for candidate in candidates:
            if candidate.item_id in seen:
                raise ValueError(f"item_id {candidate.item_id!r} stands twice")
            seen.add(candidate.item_id)
        return candidates


class SearchRequest(_Ranking):
    """Find items for a query and rank them."""

    query: Query
    limit: Annotated[int, Field(ge=1, le=200)] = 20


class RecommendRequest(_Ranking):
    """Choose items for this shopper, or like the given ones, and rank them."""

    seed_item_ids: Annotated[list[Id], Field(max_length=20)] = []
    limit: Annotated[int, Field(ge=1, le=200)] = 20


class Explanation(Wire):
    """Why an item stands where it stands."""

    known_item: bool
    text_match: float | None = Field(
        default=None, description="Cosine of the item's text with the query or the recent items."
    )
    parts: dict[str, float] = Field(description="What the score is the sum of, by name.")
    features: dict[str, float] = Field(description="The features the ranker saw, known ones only.")
    rules: list[str] = Field(description="Rules that moved the item, in words.")


class RankedItem(Wire):
    """One place of the slate."""

    item_id: str
    score: float
    position: int
    propensity: float | None = None
    explanation: Explanation | None = None


class RankResponse(Wire):
    """One answered request; `ranking_id` ties later events to it."""

    ranking_id: str
    route: Route
    reason: Reason | None = None
    model_version: str | None = None
    items: list[RankedItem]


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


class ItemIn(Wire):
    """One catalogue entry."""

    item_id: Id
    title: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    description: Text = ""
    category: Annotated[str, StringConstraints(max_length=512)] = ""
    brand: Annotated[str, StringConstraints(max_length=128)] = ""
    price: Annotated[FiniteFloat, Field(ge=0, le=1e9)] | None = None
    currency: Annotated[str, StringConstraints(max_length=3)] = ""
    attributes: Annotated[
        dict[
            Annotated[str, StringConstraints(max_length=64)],
            Annotated[str, StringConstraints(max_length=512)],
        ],
        Field(max_length=64),
    ] = {}
    image_url: Annotated[str, StringConstraints(max_length=2048)] = ""
    available: bool = True


class ItemsRequest(Wire):
    """Add or replace items."""

    items: Annotated[list[ItemIn], Field(min_length=1, max_length=500)]


class Accepted(Wire):
    """Taken and durable; visible within the stated time."""

    accepted: int


class UserFeatures(Wire):
    """What is known of a shopper, for an administrator."""

    known: bool
    interactions: int = 0
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    age_s: float | None = None
    counts: dict[str, int] = {}
    recent_items: list[str] = []
    bought_items: list[str] = []
    categories: dict[str, float] = {}
    brands: dict[str, float] = {}
    typical_price: float | None = None
    queries: list[str] = []


class SimilarQuery(Wire):
    """The query string of `/v1/items/{item_id}/similar`."""

    # A query string has only strings.
    limit: Annotated[int, Field(ge=1, le=200, strict=False)] = 20
