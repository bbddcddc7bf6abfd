"""Brands and categories for a shopper, on the wire."""

from typing import Annotated

from pydantic import Field

from serving.http.schemas.rankings import Asking
from serving.http.schemas.wire import Wire
from serving.types import Reason


class BrandsRequest(Asking):
    """Brands for this shopper, of the items that the filters let through."""

    limit: Annotated[int, Field(ge=1, le=200)] = 20


class CategoriesRequest(BrandsRequest):
    """Categories for this shopper, of the items that the filters let through."""

    level: Annotated[int, Field(ge=1, le=3)] = Field(
        1, description="How deep in the category path; 1 is the outermost."
    )


class LikedOut(Wire):
    """A brand or a category path."""

    value: str
    score: float = Field(description="Chance that it is the one wanted next; all sum to 1.")
    taste: float = Field(description="Its share of what the shopper cares for.")
    popularity: float = Field(description="Its share of what everybody buys lately.")


class LikedResponse(Wire):
    """Best first. reason: why they are only the popular ones; null: they are the shopper's."""

    reason: Reason | None
    values: list[LikedOut]
