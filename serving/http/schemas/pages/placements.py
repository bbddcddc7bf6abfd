"""Placements on the wire: as they are declared, and what was measured of them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from serving.http.schemas.wire import Wire


class KpiOut(Wire):
    """What the placement is judged by."""

    name: str
    events: list[str]
    count: Literal["events", "value"]
    per: Literal["ranking", "impression", "shopper"]
    within_hours: float


class KpiReading(Wire):
    """What was counted, as it was read last."""

    read_at: datetime
    since: datetime = Field(description="Rankings from then on are counted.")
    rankings: int
    shoppers: int
    impressions: int = Field(description="Where the shop tells none, the places ranked.")
    counted: float = Field(description="Events or money, as the KPI counts.")
    value: float | None = Field(description="The KPI: counted / per; null: nothing was ranked.")
    reward: float | None = Field(
        description="Of a ranking, by the placement's objective; null: nothing was ranked."
    )
    still_open: int = Field(description="Rankings whose time for events is not over.")


class PlacementOut(Wire):
    """One placement of the rules."""

    placement: str
    candidates: dict[str, Any]
    rules: dict[str, Any] = Field(description="The sections of the shop's rules that differ.")
    ranker: str | None = Field(description="null: the version in use.")
    objective: dict[str, Any] | None = Field(description="Where worth differs from the shop's.")
    kpi: KpiOut
    pages: list[str] = Field(description="That have a shelf of it.")
    reading: KpiReading | None = Field(description="null: it was not read yet.")


class PageShelf(Wire):
    """A shelf as it is declared."""

    placement: str
    title: str
    size: int
    at_least: int


class PageOut(Wire):
    """One page of the rules."""

    page: str
    shelves: list[PageShelf]


class PlacementsOut(Wire):
    """All placements and pages of the rules."""

    placements: list[PlacementOut]
    pages: list[PageOut]
