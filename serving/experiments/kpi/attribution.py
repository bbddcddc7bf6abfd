"""Which ranking an event counts for.

The one that it names, if that showed its item. One that names none counts where its item was last
shown to the user, or else the session, by whichever ranking before it: a placement earns nothing by
what another one, or none, showed last.
"""

from bisect import bisect_right, insort
from operator import itemgetter
from typing import NamedTuple

from features.events.event import BehaviorEvent, EventType
from features.events.log import RankingRecord

_ShownTo = tuple[str, str, str | None]  # user or session, the pseudonym, the item
# What an objective may value; a KPI may count others.
VALUED = frozenset(
    {
        EventType.CLICK, EventType.ADD_TO_CART, EventType.PURCHASE, EventType.RETURN,
        EventType.DWELL, EventType.HIDE,
    }
)  # fmt: skip


class Shown(NamedTuple):
    """A ranking that an event may count for."""

    at_s: float
    placement: str | None
    item_ids: tuple[str, ...]


class Attribution:
    """Takes the events that may count, then the rankings that these may count for, not the log."""

    def __init__(self) -> None:
        self.rankings: dict[str, Shown] = {}
        self._named: set[str] = set()
        self._shown_to: dict[_ShownTo, list[tuple[float, str]]] = {}

    def expect(self, event: BehaviorEvent) -> None:
        """An event that will be asked about, before any ranking."""
        if event.ranking_id is not None:
            self._named.add(event.ranking_id)
            return
        for key in _names(event.user_id, event.session_id, event.item_id):
            self._shown_to.setdefault(key, [])

    def shown(self, ranking: RankingRecord) -> None:
        """A ranking, of a placement or of none."""
        told = ranking.ranking_id in self._named
        for item_id in ranking.item_ids if self._shown_to else ():
            for key in _names(ranking.user_id, ranking.session_id, item_id):
                if key in self._shown_to:
                    insort(self._shown_to[key], (ranking.at_s, ranking.ranking_id))
                    told = True
        if told:
            self.rankings[ranking.ranking_id] = Shown(
                ranking.at_s, ranking.placement, ranking.item_ids
            )

    def ranking_of(self, event: BehaviorEvent) -> str | None:
        """The ranking that showed its item; None: none that is known, or it was not expected."""
        if event.ranking_id is not None:
            named = self.rankings.get(event.ranking_id)
            shown = named is not None and event.item_id in named.item_ids
            return event.ranking_id if shown else None
        for key in _names(event.user_id, event.session_id, event.item_id):
            before = self._shown_to.get(key, [])
            place = bisect_right(before, event.at_s, key=itemgetter(0))
            if place:
                return before[place - 1][1]
        return None

    def placement_of(self, event: BehaviorEvent) -> str | None:
        """The placement of that ranking; None: of none."""
        ranking_id = self.ranking_of(event)
        return None if ranking_id is None else self.rankings[ranking_id].placement


def _names(user_id: str | None, session_id: str | None, item_id: str | None) -> list[_ShownTo]:
    named = (("user", user_id), ("session", session_id))
    return [(kind, name, item_id) for kind, name in named if name]
