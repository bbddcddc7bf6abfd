"""What was known of a shopper before the time that is to be forgotten: a shared device."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from features.behavior.aggregator import Aggregator
from features.behavior.state import BehaviorState
from features.catalog.item import ItemFacts
from features.events.event import MAX_AHEAD_S, BehaviorEvent
from features.events.log import EventLog
from features.events.sharing import named_by
from features.store.offline import OfflineStore

_WALKED = 1_000  # entries read at once


class Past(NamedTuple):
    """Of one user, before `since_s`. seq: position up to which the log is read, of which the events
    from then on are deleted already."""

    log: EventLog
    offline: OfflineStore
    facts: Mapping[str, ItemFacts]
    user_id: str
    since_s: float
    seq: int

    def of(self, known: BehaviorState) -> BehaviorState | None:
        """`known` as if nothing had been done since then; None: then nothing is known.

        The newest snapshot from before, and the events behind it folded anew; without a snapshot
        all events that the log still has of the shopper. What was given to items' counters stays.
        """
        if known.first_s >= self.since_s:
            return None
        log, user_id, seq = self.log, self.user_id, self.seq
        before = self.offline.user_before(user_id, self.since_s)
        fold = Aggregator({}, self.facts)
        if before is not None:
            fold.users[user_id] = before
            after = before.applied_seq
        else:
            after = _first_since(log, known.first_s - MAX_AHEAD_S, seq)
        sharing = named_by(lambda: (event for _, event in _events(log, after, seq)), user_id)
        for at, event in _events(log, after, seq):
            # A session's, too, from before it signed in.
            session = event.session_id
            guest = event.user_id is None and session and sharing.surely(session, event.at_s)
            if event.user_id == user_id or guest:
                fold.apply(event, at)
        state = fold.users.get(user_id)
        if state is None:
            return None
        state.given, state.origin, state.applied_seq = known.given, known.origin, seq
        return state


def _events(log: EventLog, after_seq: int, until_seq: int) -> Iterator[tuple[int, BehaviorEvent]]:
    while entries := log.read(after_seq, _WALKED):
        for seq, entry in entries:
            if seq >= until_seq:
                return
            # Its item is known by now: what completed an event would count twice.
            if isinstance(entry, BehaviorEvent) and entry.held_seq is None:
                yield seq, entry
        after_seq = entries[-1][0]


def _first_since(log: EventLog, at_s: float, until_seq: int) -> int:
    """A position behind which all lies that was appended at `at_s` or later."""
    low, high = 0, until_seq
    while low < high:
        middle = (low + high) // 2
        entries = log.read(middle, 1)  # positions may be empty
        logged_s = log.logged_s(entries[0][0]) if entries else None
        if logged_s is None or logged_s >= at_s:
            high = middle
        else:
            low = middle + 1
    return low
