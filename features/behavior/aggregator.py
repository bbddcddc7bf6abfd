"""A stream of events into the states that they concern: one code for live ingest and replay."""

from collections.abc import Mapping

from features.behavior.fold import TakenBack, fold
from features.behavior.state import SESSION_BOUNDS, USER_BOUNDS, BehaviorState
from features.catalog.counters import ItemCounters
from features.catalog.item import ItemFacts
from features.events.event import BehaviorEvent


class Aggregator:
    """Folds a stream of events into user, session and item state, all held in memory.

    A history replay keeps it whole; ingest keeps it as a cache over the online store.
    """

    def __init__(self, row_of: Mapping[str, int], facts: Mapping[str, ItemFacts]) -> None:
        self.users: dict[str, BehaviorState] = {}
        self.sessions: dict[str, BehaviorState] = {}
        self.items = ItemCounters(len(row_of))
        self._row_of = row_of
        self._facts = facts

    def apply(self, event: BehaviorEvent, seq: int) -> None:
        """Fold `event`, read from log position `seq`, into every state that it concerns, once."""
        item = self._facts.get(event.item_id) if event.item_id else None
        taken_back: TakenBack | None = None
        for states, key, bounds in (
            (self.users, event.user_id, USER_BOUNDS),
            (self.sessions, event.session_id, SESSION_BOUNDS),
        ):
            if not key:
                continue
            state = states.get(key)
            if state is None:
                state = states[key] = BehaviorState()
            if seq > state.applied_seq:
                undone = fold(state, event, item, bounds)
                taken_back = taken_back or undone
                state.applied_seq = seq
        row = self._row_of.get(event.item_id) if event.item_id else None
        if row is not None and seq > self.items.applied_seq.item(row):
            self.items.add(row, event)
            if taken_back is not None:
                self.items.take_back(row, taken_back.purchases, taken_back.at_s)
            self.items.applied_seq[row] = seq
