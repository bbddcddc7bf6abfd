"""A composed page: shelves in order, each of them a placement."""

from collections.abc import Mapping

from pydantic import Field, model_validator

from serving.shops.experiments import Key
from serving.shops.placements.placement import Name, Placement, Strategy
from serving.shops.rule import Rule


class Shelf(Rule):
    """One shelf of a page."""

    placement: Key
    title: Name | None = Field(
        None, description="A key that the storefront translates; null: the placement's."
    )
    size: int = Field(12, ge=1, le=100, description="Items, at most.")
    at_least: int = Field(1, ge=1, le=100, description="With fewer items the shelf is left out.")

    @model_validator(mode="after")
    def _can_be_filled(self) -> "Shelf":
        if self.at_least > self.size:
            raise ValueError("at_least: is above size, so the shelf would never be shown")
        return self


class Page(Rule):
    """Shelves from the top; no item stands twice on the page."""

    shelves: list[Shelf] = Field(min_length=1, max_length=20)


Pages = dict[Key, Page]


def check_pages(pages: Mapping[str, Page], placements: Mapping[str, Placement]) -> None:
    """Raise ValueError, which names the place, for a shelf that cannot be filled or told apart."""
    for name, page in pages.items():
        seen: set[str] = set()
        for number, shelf in enumerate(page.shelves):
            place = f"pages.{name}.shelves.{number}.placement"
            placement = placements.get(shelf.placement)
            if placement is None:
                raise ValueError(f"{place}: no placement {shelf.placement!r} is declared")
            if placement.candidates.strategy is Strategy.GIVEN:
                raise ValueError(f"{place}: {shelf.placement!r} ranks what a caller gives")
            if shelf.placement in seen:
                raise ValueError(f"{place}: {shelf.placement!r} stands on the page already")
            seen.add(shelf.placement)
