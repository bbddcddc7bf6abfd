"""What a shopper or session chose and seems to care for; a choice of either kind is kept where its
reader is (docs/adr/0054).
"""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from features.behavior.state_rows import AnyState
from features.behavior.unwanted import hidden_items, hidden_kinds
from features.catalog.counters import HOUR_S
from features.controls.choices import Choice
from features.events.event import BehaviorEvent, EventType
from serving.errors import ConflictError, FeaturesUnavailableError, InvalidRequestError
from serving.http.rights.schemas import InterestName, PreferencesIn, Unwanted
from serving.shops.choices.interests import interests
from serving.shops.shop import Shop

_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Whose:
    """A user or a session, by pseudonym; the other is None."""

    user_id: str | None
    session_id: str | None

    @property
    def name(self) -> str:
        """Under which a choice is kept."""
        name = self.user_id or self.session_id
        assert name is not None
        return name


class Preferences:
    """Reads and changes them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    async def told(self, shop: Shop, whose: Whose) -> dict[str, Any]:
        """A PreferencesOut document; raises FeaturesUnavailableError."""
        choice, at_s = await shop.choices.told(whose.name)
        state = await self._state(shop, whose)
        known = [] if state is None else interests(state, shop.items.table.facts)
        brands, categories = hidden_kinds([state])
        return {
            "personal": choice.personal,
            "profiling": choice.profiling,
            "frozen": choice.frozen,
            "chosen_at": _time(at_s),
            "interests": [
                {
                    "kind": each.kind,
                    "name": each.name,
                    "share": round(each.share, 4),
                    "times": round(each.times, 2),
                    "last_at": _time(each.last_s),
                }
                for each in known
            ],
            "hidden": {
                "items": sorted(hidden_items([state])),
                "brands": sorted(brands),
                "categories": sorted(categories),
            },
        }

    async def choose(self, shop: Shop, whose: Whose, body: PreferencesIn) -> None:
        """Keep what is given. Raises ConflictError, and changes nothing, where nothing may be kept
        of the shopper."""
        before, _ = await shop.choices.told(whose.name)
        choice = chosen(before, body)
        told = self._events(whose, body)
        if (told or body.forget_last_hour) and not choice.learnt:
            raise ConflictError(
                "hide, show, forget, forget_last_hour: nothing changes of who is frozen or without "
                "profiling"
            )
        if body.forget_last_hour and whose.user_id is None:
            raise InvalidRequestError("forget_last_hour: of a user; begin another session instead")
        if (body.personal, body.profiling, body.frozen) != (None, None, None):
            await shop.choices.change(whose.name, lambda stands: chosen(stands, body))
        if body.forget_last_hour and whose.user_id is not None:
            await shop.intake.erase_user(whose.user_id, self._clock() - HOUR_S)
        await shop.intake.append(told)

    def _events(self, whose: Whose, body: PreferencesIn) -> list[BehaviorEvent]:
        told: list[tuple[EventType, InterestName]] = [
            *((EventType.HIDE, each) for each in body.hide),
            *((EventType.UNHIDE, each) for each in body.show),
            *((EventType.FORGET, each) for each in body.forget),
        ]
        return [
            BehaviorEvent(
                f"preference:{uuid.uuid4()}",
                kind,
                self._clock(),
                whose.user_id,
                whose.session_id,
                item_id=each.item_id if isinstance(each, Unwanted) else None,
                brand=each.brand,
                category=each.category,
            )
            for kind, each in told
        ]

    async def _state(self, shop: Shop, whose: Whose) -> AnyState | None:
        read = asyncio.to_thread(shop.shoppers.read_shopper, whose.user_id, whose.session_id)
        try:
            shopper = await asyncio.wait_for(read, _PATIENCE_S)
        except Exception as error:
            raise FeaturesUnavailableError(type(error).__name__, 1) from error
        return shopper.user or shopper.session


def chosen(before: Choice, body: PreferencesIn) -> Choice:
    """Who wants nothing personal is not learnt from either, unless it is said that they may be."""
    personal = before.personal if body.personal is None else body.personal
    profiling = before.profiling if body.profiling is None else body.profiling
    if body.personal is not None and body.profiling is None:
        profiling = body.personal
    frozen = before.frozen if body.frozen is None else body.frozen
    return Choice(personal and profiling, profiling, frozen)


def _time(at_s: float | None) -> datetime | None:
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC)
