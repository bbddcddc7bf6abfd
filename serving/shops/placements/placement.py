"""A placement: a named place of the storefront with what is shown there, and what for.

docs/placements.md tells what each part does to a ranking, and what it does not.
"""

import math
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from features.catalog.counters import DAY_S
from features.objective import Objective
from serving.search.filters import Filters
from serving.shops.experiments import Key
from serving.shops.rule import Rule, overlaid
from serving.types import Cause

Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Named = Annotated[list[Name], Field(min_length=1, max_length=50)]
Paths = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=512)]],
    Field(min_length=1, max_length=50),
]


Version = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}$")]  # of the ranker


class Strategy(StrEnum):
    """Where candidates come from. All but `search` and `given` are a recommendation's."""

    SEARCH = "search"  # for a query: the request's, or the placement's own
    GIVEN = "given"  # by the caller
    FOR_YOU = "for_you"  # for the shopper
    SIMILAR = "similar"  # like the items that the request names
    CART = "cart"  # that go with the cart that the request names
    BECAUSE = "because"  # like one item of the shopper's history, which the answer names
    BOUGHT_AGAIN = "bought_again"  # that the shopper has bought
    POPULAR = "popular"
    NEW = "new"


class ItemFilters(Rule):
    """What may be shown there, beside what the request's own filters say: both must hold."""

    category: Paths | None = Field(None, description="Paths of any depth, any of which will do.")
    brand: Named | None = None
    exclude_brand: list[Name] = []
    attributes: dict[Name, Named] = Field(
        {}, description="For each name, values any of which will do."
    )
    min_price: float | None = Field(None, ge=0, description="In the shop's currency.")
    max_price: float | None = Field(None, ge=0)
    exclude_bought: bool = Field(False, description="Leave out what the shopper has bought.")
    exclude_bought_days: float | None = Field(
        None, gt=0, le=4000, description="The same, of the last so many days."
    )

    @property
    def filters(self) -> Filters | None:
        """As retrieval reads them; None: all may be shown."""
        if not self.model_fields_set:
            return None
        bought_s = None if self.exclude_bought_days is None else DAY_S * self.exclude_bought_days
        return Filters(
            categories=None if self.category is None else tuple(self.category),
            brands=None if self.brand is None else tuple(self.brand),
            exclude_brands=tuple(self.exclude_brand),
            attributes={name: tuple(values) for name, values in self.attributes.items()},
            min_price=self.min_price,
            max_price=self.max_price,
            bought_within_s=math.inf if self.exclude_bought else bought_s,
        )


class CandidateRules(Rule):
    """Which items are ranked there. Without a strategy: as the request asks, on a page for_you."""

    strategy: Strategy | None = None
    query: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = Field(
        None, description="Of a search whose request names none."
    )
    of: Cause | None = Field(
        None, description="Of because: what was done with the item; none: any of it."
    )
    at_most: int | None = Field(
        None, ge=1, le=1000, description="Candidates; none: `retrieval.candidates`."
    )
    filters: ItemFilters = ItemFilters()

    @model_validator(mode="after")
    def _fits(self) -> "CandidateRules":
        if self.query is not None and self.strategy is not Strategy.SEARCH:
            raise ValueError("query: only the strategy search has one")
        if self.of is not None and self.strategy is not Strategy.BECAUSE:
            raise ValueError("of: only the strategy because has one")
        if self.at_most is not None and self.strategy in (None, Strategy.SEARCH, Strategy.GIVEN):
            raise ValueError("at_most: only a recommendation's strategy has one")
        return self


class Kpi(Rule):
    """What the placement is judged by: what shoppers did with what it showed, per so much of it."""

    name: Name = "clicks per ranking"
    events: list[Literal["view", "click", "add_to_cart", "purchase", "return", "hide"]] = Field(
        ["click"], min_length=1
    )
    count: Literal["events", "value"] = Field(
        "events", description="value: the money of purchases, less that of returns."
    )
    per: Literal["ranking", "impression", "shopper"] = "ranking"
    within_hours: float = Field(
        24.0, gt=0, le=24 * 90, description="What happens later is not the placement's doing."
    )

    @model_validator(mode="after")
    def _of_money(self) -> "Kpi":
        if self.count == "value" and not {"purchase", "return"} >= set(self.events):
            raise ValueError("count: only purchases and returns have a value")
        return self


class Placement(Rule):
    """One place. Without anything it ranks as the shop does, and is told apart in what is kept."""

    candidates: CandidateRules = CandidateRules()
    rules: dict[str, Any] = Field(
        {}, description="Sections of the shop's rules that differ here; arms change these further."
    )
    ranker: Version | None = Field(
        None, description="Version of the ranker that ranks here; null: the shop's."
    )
    objective: Objective | None = Field(
        None, description="Where worth differs from the shop's; it counts in reports."
    )
    kpi: Kpi = Kpi()

    def objective_upon(self, shops: Objective) -> Objective:
        """What events are worth here. shops: for all that is not named."""
        return worth_upon(shops, self.objective)


def worth_upon(usual: Objective, own: Objective | None) -> Objective:
    """What events are worth where `own` says so, and else as `usual`."""
    if own is None:
        return usual
    named = own.model_dump(exclude_unset=True)
    return Objective.model_validate(overlaid(usual.model_dump(), named))


Placements = dict[Key, Placement]
