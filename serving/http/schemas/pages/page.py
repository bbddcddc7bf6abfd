"""A composed page on the wire. docs/placements.md is the reference."""

from typing import Annotated

from pydantic import Field

from serving.http.schemas.explanation import ExplainBy
from serving.http.schemas.rankings import Asking, RankResponse
from serving.http.schemas.wire import Id, Query, Wire
from serving.ranking.placements.page import Omission


class PageRequest(Asking):
    """All shelves of a page for this shopper."""

    query: Query | None = Field(None, description="For shelves that search.")
    seed_item_ids: Annotated[list[Id], Field(max_length=20)] = Field(
        [], description="The items that the page is about, for shelves of what is like them."
    )
    cart_item_ids: Annotated[list[Id], Field(max_length=50)] = Field(
        [], description="For shelves of what goes with the cart."
    )
    explain: ExplainBy = False


class ShelfOut(RankResponse):
    """One shelf: a ranking of its own, with a `ranking_id` of its own."""

    placement: str
    title: str = Field(description="A key that the storefront translates.")


class ShelfLeftOut(Wire):
    """A shelf that is not there."""

    placement: str
    # An enum is strict in Python, where JSON has strings.
    why: Annotated[Omission, Field(strict=False)] = Field(
        description="empty: fewer items than it needs were left; not_asked: the request names no "
        "query, seed_item_ids or cart_item_ids, and it needs them; deadline; failed."
    )


class PageResponse(Wire):
    """The shelves from the top. No item stands twice on the page."""

    page_id: str
    shelves: list[ShelfOut]
    left_out: list[ShelfLeftOut]
