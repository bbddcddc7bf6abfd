"""A shop of an installation as its operator defines it."""

from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, Field, ValidationError, model_validator

from features.catalog.prices import Prices
from features.controls.shops import SHOP_NAME, Registered
from features.yaml_file import problems
from serving.shops.rule import Rule
from serving.shops.rules import Rules

MOST_PER_S = 1_000_000_000  # of any rate: what is more is a slip, or does not fit into 64 bits


class ShopPrices(Prices):
    """A currency, and what others are worth in it."""


def _are_rules(sections: dict[str, Any]) -> dict[str, Any]:
    try:
        Rules.model_validate(sections)
    except ValidationError as error:
        raise ValueError(problems(error)) from None
    try:
        orjson.dumps(sections)
    except orjson.JSONEncodeError as error:  # a number beyond 64 bits cannot be kept
        raise ValueError(str(error)) from None
    return sections


def rules_of(shop: Registered) -> Rules:
    """A registered shop's rules; raises ValidationError for what another release wrote."""
    return Rules.model_validate(shop.definition.get("rules", {}))


class ShopDefinition(Rule):
    """What is the shop's own. A change of rules, language or prices opens the shop anew beside the
    one that answers."""

    title: str = Field("", max_length=200, description="For people.")
    language: str = Field(
        "en", pattern="^[a-z]{2}$", description="Of the catalogue, ISO 639-1 (docs/search.md)."
    )
    # Made, so that the schema has no object as a default, which generators of clients refuse.
    prices: ShopPrices = Field(
        default_factory=ShopPrices, description="Its currency, and rates of others (docs/data.md)."
    )
    rules: Annotated[dict[str, Any], AfterValidator(_are_rules)] = Field(
        default_factory=dict, description="As a rules file has them (docs/rules.md)."
    )
    weight: float = Field(
        1.0, gt=0, le=100, description="How much it gets beside others when there is not enough."
    )
    rate_per_s: int | None = Field(
        None,
        ge=1,
        le=MOST_PER_S,
        description="Of all its keys together, by ingress replica; null: no bound.",
    )
    paused: bool = Field(False, description="It keeps everything, and its keys get 403.")
    group: str | None = Field(
        None, pattern=SHOP_NAME, description="Of shops that are alike (docs/shops.md#groups)."
    )
    shares_priors: bool = Field(
        False,
        description="Its consent: how much its categories are wanted is told to the shops of its "
        "group that share, too, and what they tell counts for items that it has not sold yet.",
    )

    @model_validator(mode="after")
    def _shares_with_somebody(self) -> "ShopDefinition":
        if self.shares_priors and self.group is None:
            raise ValueError("shares_priors: it needs a group to share with")
        return self
