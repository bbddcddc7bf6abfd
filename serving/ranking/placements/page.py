"""A composed page: what is asked of all its shelves, and what they are in the end."""

from dataclasses import dataclass
from enum import StrEnum

from serving.ranking.placements.placed import both
from serving.ranking.request import Context, Recommend, Search, Source
from serving.ranking.values import Judged, Slate
from serving.search.filters import Filters
from serving.shops.placements.page import Page, Shelf
from serving.shops.placements.placement import Placement, Strategy


class Omission(StrEnum):
    """Why a shelf is left out: a metric label."""

    EMPTY = "empty"  # fewer items than its `at_least` were left for it
    NOT_ASKED = "not_asked"  # the request names no query, seeds or cart, and it needs them
    DEADLINE = "deadline"  # there was no time left for it
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PageAsked:
    """What a request asks of a page. context: of the whole page; its `ranking_id` is the page's.

    seed_item_ids, cart_item_ids, context.query: for the shelves whose strategy reads them;
    filters: of all shelves, beside their own
    """

    name: str
    page: Page
    context: Context
    seed_item_ids: tuple[str, ...] = ()
    cart_item_ids: tuple[str, ...] = ()
    filters: Filters | None = None

    def source(self, placement: Placement) -> Source | None:
        """Where a shelf's candidates come from; None: the request does not name what it needs."""
        rules = placement.candidates
        filters = both(self.filters, rules.filters.filters)
        if rules.strategy is Strategy.SEARCH:
            query = self.context.query or rules.query
            return Search(query, filters) if query else None
        seeds = self.seed_item_ids if rules.strategy is Strategy.SIMILAR else ()
        cart = self.cart_item_ids if rules.strategy is Strategy.CART else ()
        if rules.strategy in (Strategy.SIMILAR, Strategy.CART) and not (seeds or cart):
            return None
        return Recommend(seeds, filters, cart, rules.strategy, rules.of, rules.at_most)


@dataclass(frozen=True, slots=True)
class ShelfShown:
    """A shelf with its slate, whose `ranking_id` is the shelf's own."""

    shelf: Shelf
    slate: Slate
    judged: Judged  # what the slate was made of


@dataclass(frozen=True, slots=True)
class ShelfOmitted:
    """A shelf that is not there, and why."""

    shelf: Shelf
    why: Omission


@dataclass(frozen=True, slots=True)
class ComposedPage:
    """The answer: every shelf of the page, in order, shown or omitted."""

    page_id: str
    shelves: tuple[ShelfShown | ShelfOmitted, ...]
