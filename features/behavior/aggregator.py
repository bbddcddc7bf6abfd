"""A stream of events into the states that they concern: one code for live ingest and replay."""

import gc
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from features.behavior.fold import complete, fold
from features.behavior.shares import Addition, share
from features.behavior.sign_in import claim, merge
from features.behavior.state import SESSION_BOUNDS, USER_BOUNDS, BehaviorState
from features.behavior.unwanted import forget_interest
from features.catalog.counters import Counter, ItemCounters
from features.catalog.item import ItemFacts
from features.events.event import OF_ANSWERS, BehaviorEvent, EventType

_COUNTED_TOGETHER = 20_000  # additions to counters: bounds memory


class Aggregator:
    """Folds a stream of events into user, session and item state, all held in memory.

    A history replay keeps it whole; ingest keeps it as a cache over the online store.
    over: sessions of which nobody will ask more than whose they were
    """

    def __init__(
        self,
        row_of: Mapping[str, int],
        facts: Mapping[str, ItemFacts],
        over: Container[str] = frozenset(),
    ) -> None:
        self.users: dict[str, BehaviorState] = {}
        self.sessions: dict[str, BehaviorState] = {}
        self._items = ItemCounters(len(row_of))
        self._added: list[tuple[int, Counter, float, float]] = []  # to be counted in them
        self._row_of = row_of
        self._facts = facts
        self._over = over

    @property
    def items(self) -> ItemCounters:
        """The counters of all items. Many events are counted together, before somebody looks."""
        if self._added:
            self._count()
        return self._items

    def _count(self) -> None:
        rows, counters, weights, at_s = np.array(self._added).T
        self._items.add(rows.astype(np.int64), counters.astype(np.int32), weights, at_s)
        self._added.clear()

    def sessions_of(self, user_id: str | None) -> list[str]:
        """The sessions at hand that are the user's."""
        if not user_id:
            return []
        return [key for key, state in self.sessions.items() if state.owner == user_id]

    def apply(self, event: BehaviorEvent, seq: int, with_item: bool = True) -> bool:
        """Fold `event`, read from log position `seq`, into every state that it concerns, once.

        Returns whether its item's counters take less of it than of another shopper's: this one,
        the user or else the session, has given the item a full share of late. Without its item, an
        event changes counts and recency; the rest of it (`held_seq`) then changes what is left.
        """
        if event.type in OF_ANSWERS:
            return False
        if event.held_seq is None and event.user_id and event.session_id:
            self._sign_in(event.user_id, event.session_id, event.at_s, seq)
        if event.type is EventType.SIGN_IN:
            for states, key in ((self.users, event.user_id), (self.sessions, event.session_id)):
                if key and key in states:
                    states[key].applied_seq = max(states[key].applied_seq, seq)
            return False
        if event.type is EventType.FORGET:
            told = [self.users.get(event.user_id or ""), self.sessions.get(event.session_id or "")]
            told += [self.sessions[key] for key in self.sessions_of(event.user_id)]
            for known in told:
                if known is not None and seq > known.applied_seq:
                    forget_interest(known, event, self._facts)
                    known.applied_seq = seq
            return False
        item = self._facts.get(event.item_id) if event.item_id and with_item else None
        row = self._row_of.get(event.item_id) if event.item_id and with_item else None
        shopper: BehaviorState | None = None
        additions: list[Addition] = []
        for states, key, bounds in (
            (self.users, event.user_id, USER_BOUNDS),
            (self.sessions, event.session_id, SESSION_BOUNDS),
        ):
            if not key:
                continue
            state = states.get(key)
            if state is None:
                if event.held_seq is not None:
                    continue  # forgotten meanwhile
                state = states[key] = BehaviorState()
                if states is self.users:
                    self._began_as(state, event.user_id, event.session_id)
            if seq > state.applied_seq:
                if state.owner and key in self._over:
                    state.last_s = max(state.last_s, event.at_s)
                    state.applied_seq = seq
                    continue
                folding = fold if event.held_seq is None else complete
                taken_back = folding(state, event, item, bounds)
                if shopper is None and row is not None:
                    additions = share(state, event, taken_back, bounds)
                state.applied_seq = seq
            shopper = shopper or state
        if row is None or seq <= self._items.applied_seq.item(row):
            return False
        if shopper is None:  # a data set may not say whose event it was
            additions = share(BehaviorState(), event, None, SESSION_BOUNDS)
        for addition in additions:
            self._added.append((row, addition.counter, addition.weight, addition.at_s))
        self._items.applied_seq[row] = seq
        if len(self._added) >= _COUNTED_TOGETHER:
            self._count()
        return any(addition.capped for addition in additions)

    def _sign_in(self, user_id: str, session_id: str, at_s: float, seq: int) -> None:
        """Let the session be the user's if it is nobody's, with what it has done so far."""
        session = self.sessions.get(session_id)
        if session is None:
            session = self.sessions[session_id] = BehaviorState(first_s=at_s, last_s=at_s)
        if seq <= session.applied_seq or not claim(session, user_id, at_s):
            return
        user = self.users.get(user_id)
        if user is None:
            user = self.users[user_id] = BehaviorState()
            self._began_as(user, user_id, session_id)
        if seq > user.applied_seq:
            merge(user, session, self._facts)
        session.given = {}

    def _began_as(self, user: BehaviorState, user_id: str | None, session_id: str | None) -> None:
        """Note the session that a new user comes with, unless it was given to another."""
        session = self.sessions.get(session_id) if session_id else None
        if session is not None and session.owner == user_id:
            user.origin = session_id or ""


@contextmanager
def uncollected() -> Iterator[None]:
    """For a stretch of folding: millions of small dicts live on, and walking them again and again
    finds no garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()  # whatever it was before: folds of several shops overlap
