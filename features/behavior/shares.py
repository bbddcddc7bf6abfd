"""What one shopper adds to the counters of an item: popularity counts shoppers, not events.

A share is what a shopper has given an item of each counter, fading with SHARE_HALF_LIFE_S. It never
exceeds AT_MOST, so nobody holds more of an item's counter of that half-life than a few events'
worth, however many are sent; of slower counters, not much more than that for each half-life that
the sending lasts. What is bought once a week counts in full: a share of 2.

Shares are part of the shopper's state, so a replay and a batch that is read again give the same.
"""

import operator
from typing import NamedTuple

from features.behavior.fold import TakenBack
from features.behavior.state import BehaviorState, Bounds, Shares
from features.catalog.counters import DAY_S, DEMAND, Counter, counted
from features.events.event import BehaviorEvent

SHARE_HALF_LIFE_S = 7 * DAY_S
AT_MOST = (5.0, 5.0, 3.0, 3.0, 3.0)  # by Counter; a visit to an item is a click and a view
DEMAND_AT_MOST = 3.0  # of the counters together, by DEMAND
FORGOTTEN = ""  # the id of no item: its share is the largest of those that had to go
_NOTHING = (0.0,) * len(Counter)


def give(
    state: BehaviorState, item_id: str, counter: Counter, weight: float, at_s: float, n_kept: int
) -> float:
    """Add to the share of an item in a counter, and return how much of `weight` counts.

    An event that comes late is judged as if it came now: history is to be sent oldest first.
    """
    shares = state.given
    then_s, levels = _faded(shares, item_id, at_s)
    room = AT_MOST[counter] - levels[counter]
    if DEMAND[counter]:
        demand = sum(map(operator.mul, DEMAND, levels))
        room = min(room, (DEMAND_AT_MOST - demand) / DEMAND[counter])
    given = min(weight, max(room, 0.0))
    levels[counter] += given
    shares[item_id] = (then_s, *levels)
    if len(shares) > 2 * n_kept:
        state.given = _strongest(shares, n_kept)
    return given


def take_back(state: BehaviorState, item_id: str, purchases: float, at_s: float) -> float:
    """How many of `purchases` made at `at_s` had counted and count no more."""
    if item_id not in state.given:
        return 0.0
    then_s, *levels = state.given[item_id]
    # Of what a purchase gave, so much is left by then.
    kept: float = 2.0 ** (-max(then_s - at_s, 0.0) / SHARE_HALF_LIFE_S)
    if kept == 0.0:
        return 0.0
    taken = min(purchases * kept, levels[Counter.PURCHASE])
    levels[Counter.PURCHASE] -= taken
    state.given[item_id] = (then_s, *levels)
    return taken / kept


class Addition(NamedTuple):
    """What an event adds to one counter of its item."""

    counter: Counter
    weight: float
    at_s: float
    capped: bool = False  # less than it would have been, had its shopper given nothing before


def share(
    state: BehaviorState, event: BehaviorEvent, taken_back: TakenBack | None, bounds: Bounds
) -> list[Addition]:
    """What `event` adds to its item's counters, of which its shopper's `state` keeps account.

    taken_back: what `fold` says that a return undoes
    """
    additions = []
    item_id = event.item_id
    found = counted(event)
    if item_id is not None and found is not None:
        counter, weight = found
        given = give(state, item_id, counter, weight, event.at_s, bounds.shares)
        additions.append(Addition(counter, given, event.at_s, given < weight))
    if item_id is not None and taken_back is not None:
        undone = take_back(state, item_id, *taken_back)
        additions.append(Addition(Counter.PURCHASE, -undone, taken_back.at_s))
    return additions


def added(shares: Shares, others: Shares, n_kept: int) -> Shares:
    """The shares of two that turn out to be one shopper."""
    both = dict(shares)
    for item_id, (at_s, *levels) in others.items():
        then_s, own = _faded(both, item_id, at_s) if item_id in both else (at_s, [*_NOTHING])
        fade = 2.0 ** (-(then_s - at_s) / SHARE_HALF_LIFE_S)
        both[item_id] = (then_s, *(a + b * fade for a, b in zip(own, levels, strict=True)))
    return _strongest(both, n_kept) if len(both) > 2 * n_kept else both


def _faded(shares: Shares, item_id: str, at_s: float) -> tuple[float, list[float]]:
    """The share of an item as of `at_s`, or of the newest event in it if that is later."""
    then_s, *levels = shares.get(item_id) or shares.get(FORGOTTEN) or (at_s, *_NOTHING)
    if at_s <= then_s:
        return then_s, levels
    fade = 2.0 ** (-(at_s - then_s) / SHARE_HALF_LIFE_S)
    return at_s, [level * fade for level in levels]


def _strongest(shares: Shares, n_kept: int) -> Shares:
    """The `n_kept` largest shares, in their order, and the largest level of the others.

    As in Space-Saving (Metwally et al., 2005): who comes back after having been forgotten starts
    from there, so that nobody gets round the bound by sending events of many items in turn.
    """
    now_s = max(share[0] for share in shares.values())
    faded = {item_id: _faded(shares, item_id, now_s)[1] for item_id in shares}
    floor = faded.pop(FORGOTTEN, [*_NOTHING])
    weakest = sorted(faded, key=lambda item_id: -sum(faded[item_id]))[n_kept:]
    for item_id in weakest:
        floor = list(map(max, floor, faded.pop(item_id)))
    return {FORGOTTEN: (now_s, *floor), **{item_id: shares[item_id] for item_id in faded}}
