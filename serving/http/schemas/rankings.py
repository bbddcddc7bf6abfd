"""Rankings on the wire. docs/api.md is the reference."""

from typing import Annotated

from pydantic import Field, FiniteFloat, StringConstraints, field_validator, model_validator

from serving.http.schemas.explanation import (
    BecauseOut,
    ExplainBy,
    Explanation,
    InExperiment,
    UnderstoodOut,
)
from serving.http.schemas.wire import (
    COLLAPSE,
    CollapseBy,
    Id,
    Personal,
    Personalize,
    Query,
    Score,
    Time,
    UserContext,
    Wire,
)
from serving.ranking.request import Sort
from serving.types import Exclusion, Reason, Route

CategoryPath = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Value = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Attributes = Annotated[
    dict[Name, Annotated[list[Value], Field(min_length=1, max_length=50)]], Field(max_length=20)
]


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


class Bought(Wire):
    """Which purchases are meant."""

    within_days: Annotated[FiniteFloat, Field(gt=0, le=4000)]


class Filters(Wire):
    """Only items that satisfy all of these are ranked. Capitals and widths do not count."""

    category: (
        CategoryPath | Annotated[list[CategoryPath], Field(min_length=1, max_length=50)] | None
    ) = Field(None, description="A category path, whole or from its beginning; of several, any.")
    brand: Annotated[list[Id], Field(min_length=1, max_length=50)] | None = None
    exclude_brand: Annotated[list[Id], Field(max_length=50)] = []
    attributes: Attributes = Field({}, description="For each name, values any of which will do.")
    min_price: Annotated[FiniteFloat, Field(ge=0)] | None = Field(
        None, description="In the shop's currency, as is max_price."
    )
    max_price: Annotated[FiniteFloat, Field(ge=0)] | None = None
    exclude_item_ids: Annotated[list[Id], Field(max_length=1000)] = []
    available: bool | None = Field(True, description="null: also items that are sold out.")
    exclude_bought: bool | Bought = Field(
        False, description="Leave out what the shopper has bought, ever or in the last days."
    )


class BoostMatch(Wire):
    """Which items are meant; all given conditions must hold."""

    item_id: Id | None = None
    category: CategoryPath | None = None
    brand: Id | None = None
    attributes: Attributes = Field({}, description="For each name, values any of which will do.")

    @model_validator(mode="after")
    def _some_item(self) -> "BoostMatch":
        if not (self.item_id or self.category or self.brand or self.attributes):
            raise ValueError("item_id, category, brand or attributes are wanted")
        return self


class Boost(Wire):
    """Lifts items, or lowers them, within the relevance guarantee."""

    match: BoostMatch
    lift: Annotated[FiniteFloat, Field(ge=-10, le=10)] = Field(
        description="In spreads of the slate's scores; the key says how much is allowed."
    )


class Asking(Wire):
    """What every request says of the shopper and of itself."""

    user_id: Id | None = None
    session_id: Id | None = None
    context: Context = Context()
    filters: Filters | None = None
    budget_ms: Annotated[int, Field(ge=1, le=5000)] | None = None
    personalize: Personalize = True


class _Ranking(Asking):
    placement: Name | None = Field(None, description="One of the rules' `placements`.")
    boosts: Annotated[list[Boost], Field(max_length=10)] = []
    user_context: UserContext | None = None
    explain: ExplainBy = False


class RankRequest(_Ranking):
    """Put these candidates in the best order for this shopper."""

    query: Query | None = None
    candidates: Annotated[
        list[Annotated[Candidate | Id, Field(union_mode="left_to_right")]],
        Field(min_length=1, max_length=1000),
    ] = Field(description="Items, or their ids alone.")
    limit: Annotated[int, Field(ge=1, le=1000)] | None = None

    @field_validator("candidates")
    @classmethod
    def _distinct(cls, candidates: list[Candidate | str]) -> list[Candidate | str]:
        seen: set[str] = set()
        for candidate in candidates:
            item_id = candidate if isinstance(candidate, str) else candidate.item_id
            if item_id in seen:
                raise ValueError(f"item_id {item_id!r} stands twice")
            seen.add(item_id)
        return candidates


class SearchRequest(_Ranking):
    """Find items for a query and rank them; an empty query browses."""

    query: Annotated[str, StringConstraints(max_length=512)]
    limit: Annotated[int, Field(ge=1, le=200)] = 20
    offset: Annotated[int, Field(ge=0, le=1000)] = Field(
        0,
        description="Places that are left out. What the shopper does may move items meanwhile. "
        "Above 0 nothing is explored.",
    )
    cursor: Annotated[str, StringConstraints(max_length=11_000)] | None = Field(
        None, description="Of the answer before: nothing that was shown comes again."
    )
    # An enum is strict in Python, where JSON has strings.
    sort: Annotated[Sort, Field(strict=False)] = Field(
        Sort.RELEVANCE, description="Other orders leave out what is half as relevant as the best."
    )
    facets: Annotated[list[Name], Field(max_length=20)] = Field(
        [], description='"category", "brand", "price" or names of attributes, to be counted.'
    )
    image: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        None,
        description="JPEG, PNG or WebP as base64 or a data URL; with a query both count.",
    )
    collapse: CollapseBy = COLLAPSE
    suggestions: bool = Field(
        False, description="Whether to tell what came nearest when nothing matches."
    )


class RecommendRequest(_Ranking):
    """Choose items for this shopper, or like the given ones, or that go with a cart; rank them."""

    seed_item_ids: Annotated[list[Id], Field(max_length=20)] = []
    cart_item_ids: Annotated[list[Id], Field(max_length=50)] = Field(
        [], description="What goes with these: of other categories, and none of them."
    )
    limit: Annotated[int, Field(ge=1, le=200)] = 20
    collapse: CollapseBy = COLLAPSE

    @model_validator(mode="after")
    def _one_question(self) -> "RecommendRequest":
        if self.seed_item_ids and self.cart_item_ids:
            raise ValueError("seed_item_ids and cart_item_ids ask for different things")
        return self


class RankedItem(Wire):
    """One place of the slate."""

    item_id: str
    score: float
    relevance: float | None = Field(
        None, description="How likely the item answers the query, 0..1; null without a query."
    )
    position: int
    propensity: float | None = None
    explanation: Explanation | None = None
    sponsored: bool | None = Field(None, description="True: a boost that was paid for lifts it.")


class RankResponse(Wire):
    """One answered request; `ranking_id` ties later events to it."""

    ranking_id: str
    route: Route
    reason: Reason | None = None
    personal: Personal = None
    model_version: str | None = Field(
        None, description="Of the ranker; where two versions share the slate, both: 7+8."
    )
    items: list[RankedItem]
    exclude_bought: Exclusion | None = Field(
        None, description="Whether purchases were left out, where that was asked for."
    )
    because: BecauseOut | None = Field(None, description="What all are like, in some placements.")
    experiments: list[InExperiment] | None = Field(None, description="Arms that it was ranked by.")
    understood: UnderstoodOut | None = Field(
        None, description="What `user_context` was read as; left out without one."
    )


class Prices(Wire):
    """Of the items found, in the shop's currency."""

    min: float
    max: float
    mean: float
    currency: str | None = Field(description="null: the shop has named none.")


class Nearest(Wire):
    """An item that is not relevant enough."""

    item_id: str
    relevance: float


class SearchResponse(RankResponse):
    """A page of a search."""

    total: int = Field(description="So many items are found, at least.")
    cursor: str | None = Field(description="For the next page; null at the end.")
    facets: dict[str, dict[str, int]] | None = Field(
        None, description="Items by value, most frequent first."
    )
    prices: Prices | None = None
    suggestions: list[Nearest] | None = None
