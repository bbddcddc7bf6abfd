"""What placements are declared, and what was measured of them."""

import logging
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Response

from serving.errors import VitrineError
from serving.experiments.kpi.published import kept_kpis
from serving.http.access.auth import Keyring, Scope
from serving.http.bodies import json_response
from serving.http.dependencies import Scoped
from serving.http.openapi import gives
from serving.http.schemas.pages.placements import PlacementsOut
from serving.shops.placements.page import Page
from serving.shops.placements.placement import Placement
from serving.shops.rules import Rules
from serving.shops.shop import Shops
from serving.shops.waiting_room import WaitingRoom

_LOG = logging.getLogger("vitrine.http")


def add_placements(app: FastAPI, shops: Shops, keys: Keyring) -> None:
    """Register the endpoint; a key needs the scope `admin`."""
    room = WaitingRoom("placements", 1, 8)

    @app.get("/v1/placements", openapi_extra=gives(PlacementsOut))
    async def list_placements(
        caller: Annotated[Any, Depends(Scoped(keys, Scope.ADMIN))],
    ) -> Response:
        """The placements and pages of the rules, and what each placement earned."""
        shop = shops.of(caller.shop)
        readings: dict[str, dict[str, Any]] = {}
        try:
            readings = await room.do(lambda: kept_kpis(shop.controls))
        except VitrineError as error:
            _LOG.warning("what placements earn is not told: %s", error.code)
        rules = shop.rules
        return json_response(
            {
                "placements": [
                    _placement(key, placement, rules, readings.get(key))
                    for key, placement in rules.placements.items()
                ],
                "pages": [_page(key, page) for key, page in rules.pages.items()],
            }
        )


def _placement(
    key: str, placement: Placement, rules: Rules, reading: dict[str, Any] | None
) -> dict[str, Any]:
    declared = placement.model_dump(
        mode="json", exclude_unset=True, include={"candidates", "rules", "objective"}
    )
    kpi = placement.kpi.model_dump(mode="json")
    told = reading if reading is not None and reading["kpi"] == kpi else None
    return {
        "placement": key,
        "candidates": declared.get("candidates", {}),
        "rules": declared.get("rules", {}),
        "ranker": placement.ranker,
        "objective": declared.get("objective"),
        "kpi": kpi,
        "pages": [
            name
            for name, page in rules.pages.items()
            if any(shelf.placement == key for shelf in page.shelves)
        ],
        # One of another definition says nothing of this one.
        "reading": told and {name: value for name, value in told.items() if name != "kpi"},
    }


def _page(key: str, page: Page) -> dict[str, Any]:
    shelves = page.model_dump(mode="json")["shelves"]
    return {
        "page": key,
        "shelves": [{**each, "title": each["title"] or each["placement"]} for each in shelves],
    }
