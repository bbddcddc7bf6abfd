"""What a session did before it named its user is what the user did."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import TypeVar

from features.behavior.fold import AFFINITY_WEIGHT, growth, learn_taste
from features.behavior.shares import added
from features.behavior.state import SESSION_TTL_S, USER_BOUNDS, BehaviorState
from features.behavior.unwanted import (
    most_shown,
    newest_kinds,
    newest_marks,
    say,
    shown_together,
)
from features.catalog.item import ItemFacts
from features.events.event import EventType

_V = TypeVar("_V")


def claim(session: BehaviorState, user_id: str, at_s: float) -> bool:
    """Give `session` to `user_id`; True when it was nobody's and has done something.

    It is given once: a device that many use is the first one's until it was idle for SESSION_TTL_S,
    when it is another session.
    """
    over = at_s - session.last_s > SESSION_TTL_S
    if session.owner and not over:
        return False
    session.owner = user_id
    return bool(session.counts) and not over


def merge(user: BehaviorState, session: BehaviorState, facts: Mapping[str, ItemFacts]) -> None:
    """Add to `user` what `session` keeps of what it did.

    Counts, queries, recent and bought items, hides, impressions, and what was given to items'
    counters are added as they are. Taste fades faster in a session, so it is learnt anew: of each
    item that the session keeps, by its purchases or else by the strongest that was done with it.
    """
    if not user.counts:
        user.landmark_s = user.first_s = session.first_s
        user.last_s = session.last_s
    user.first_s = min(user.first_s, session.first_s)
    user.last_s = max(user.last_s, session.last_s)
    for kind, n in session.counts.items():
        user.counts[kind] = user.counts.get(kind, 0) + n
    for query, at_s in session.queries.items():
        user.queries[query] = max(user.queries.get(query, at_s), at_s)
    user.queries = _newest(user.queries, float, USER_BOUNDS.queries)
    for item_id, (at_s, weight) in session.recent.items():
        seen_s, strongest = user.recent.get(item_id, (at_s, weight))
        user.recent[item_id] = (max(seen_s, at_s), max(strongest, weight))
    user.recent = _newest(user.recent, itemgetter(0), USER_BOUNDS.recent_items)
    for item_id, (times, first_s, last_s, spent) in session.bought.items():
        before = user.bought.get(item_id, (0.0, first_s, last_s, 0.0))
        user.bought[item_id] = (
            before[0] + times, min(before[1], first_s), max(before[2], last_s), before[3] + spent,
        )  # fmt: skip
    user.bought = _newest(user.bought, itemgetter(2), USER_BOUNDS.bought_items)
    taught = dict(session.recent)
    for item_id, (times, _, last_s, _) in session.bought.items():
        taught[item_id] = (last_s, times * AFFINITY_WEIGHT[EventType.PURCHASE])
    for item_id, (at_s, weight) in taught.items():
        if item_id in facts:
            grown = weight * growth(user, at_s, USER_BOUNDS)
            learn_taste(user, facts[item_id], grown, USER_BOUNDS)
    _merge_unwanted(user, session)
    user.given = added(user.given, session.given, USER_BOUNDS.shares)


def _merge_unwanted(user: BehaviorState, session: BehaviorState) -> None:
    """What was hidden, by the newest word of both, and what was shown and not taken up since."""
    user.hidden = newest_marks(user.hidden, session.hidden)
    user.hidden = _newest(user.hidden, itemgetter(0), USER_BOUNDS.hidden)
    for item_id, (at_s, hidden) in list(user.hidden.items()):
        seen_s, strongest = session.recent.get(item_id, (0.0, 0.0))
        if hidden and strongest >= AFFINITY_WEIGHT[EventType.ADD_TO_CART]:
            say(user, item_id, False, seen_s, USER_BOUNDS)
        elif hidden and item_id in user.recent and user.recent[item_id][0] <= at_s:
            del user.recent[item_id]
    said = newest_marks(user.hidden_kinds, session.hidden_kinds)
    user.hidden_kinds = newest_kinds(said, USER_BOUNDS)
    shown = shown_together(user.shown, session.shown)
    user.shown = {
        item_id: (at_s, times)
        for item_id, (at_s, times) in shown.items()
        if item_id not in user.recent or user.recent[item_id][0] < at_s
    }
    if len(user.shown) > 2 * USER_BOUNDS.shown:
        user.shown = most_shown(user.shown, USER_BOUNDS.shown)


def _newest(kept: dict[str, _V], time_of: Callable[[_V], float], bound: int) -> dict[str, _V]:
    """The newest `bound` of `kept`, oldest first."""
    ordered = sorted(kept.items(), key=lambda entry: time_of(entry[1]))
    return dict(ordered[max(len(ordered) - bound, 0) :])
