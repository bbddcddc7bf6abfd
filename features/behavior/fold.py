"""The fold: behaviour events in, bounded feature state out. No I/O, no clock, no randomness.

Live ingest, replay of a history and training run this same code. Every sum decays with the age of
its event measured from the event's own time, so late and out-of-order events give the state that
they would have given on time; only the eviction of a bounded list can depend on arrival order.

Affinities use forward decay (Cormode et al., 2009, "Forward decay: a practical time decay model"):
weights grow with event time instead of shrinking with age, so that adding an event touches one
entry.
"""

import math
from typing import NamedTuple

from features.behavior.state import BehaviorState, Bounds
from features.behavior.unwanted import HIDES, WANTS, say, say_of_kinds, see
from features.catalog.item import ItemFacts
from features.events.event import BehaviorEvent, EventType

# How strongly a behaviour speaks for a taste; a return takes back what its purchase taught.
AFFINITY_WEIGHT = {
    EventType.VIEW: 1.0,
    EventType.CLICK: 1.0,
    EventType.DWELL: 1.0,
    EventType.ADD_TO_CART: 3.0,
    EventType.PURCHASE: 5.0,
}
MIN_DWELL_MS = 10_000  # a shorter look says nothing about taste
_NOTHING_KEPT = 1e-6  # a share that is left by rounding alone


class TakenBack(NamedTuple):
    """What a return undoes: so many purchases of its item, of which the newest was at `at_s`."""

    purchases: float
    at_s: float


def fold(
    state: BehaviorState, event: BehaviorEvent, item: ItemFacts | None, bounds: Bounds
) -> TakenBack | None:
    """Fold one event into `state`, in place: a replay folds millions.

    `item` is None when the catalogue does not know it: then only counts and recency change. Returns
    what a return has taken back; None when that is nothing that the state knows of.
    """
    at_s = event.at_s
    if not state.counts:
        state.landmark_s = state.first_s = state.last_s = at_s
    if at_s < state.first_s:
        state.first_s = at_s
    if at_s > state.last_s:
        state.last_s = at_s
    state.counts[event.type] = state.counts.get(event.type, 0) + 1
    if event.query:
        _keep_newest(state, event.query, at_s, bounds.queries)
    if event.item_id is None:
        say_of_kinds(state, event, bounds)
        return None
    if event.type is EventType.RETURN:
        return _take_back(state, event, item, bounds)
    if event.type is EventType.IMPRESSION:
        see(state, event.item_id, at_s, bounds)
    if event.type in HIDES:
        _hide(state, event, item, bounds)
    weight = AFFINITY_WEIGHT.get(event.type)
    if weight is None:
        return None
    state.shown.pop(event.item_id, None)
    if event.type in WANTS and event.item_id in state.hidden:
        say(state, event.item_id, False, at_s, bounds)
    if event.type is EventType.DWELL and (event.dwell_ms or 0) < MIN_DWELL_MS:
        return None
    _remember(state, event, weight, bounds)
    if item is not None:
        learn_taste(state, item, weight * growth(state, at_s, bounds), bounds)
    return None


def complete(
    state: BehaviorState, event: BehaviorEvent, item: ItemFacts | None, bounds: Bounds
) -> TakenBack | None:
    """Fold what was left when `event` was folded without its item: the taste it speaks for.

    A return takes back one purchase, as of its own time: the purchase has left the state.
    """
    if item is None:
        return None
    if event.type is EventType.RETURN:
        weight = AFFINITY_WEIGHT[EventType.PURCHASE]
        _unlearn_taste(state, item, weight * growth(state, event.at_s, bounds))
        return TakenBack(1.0, event.at_s)
    weight = AFFINITY_WEIGHT.get(event.type, 0.0)
    if event.type is EventType.DWELL and (event.dwell_ms or 0) < MIN_DWELL_MS:
        weight = 0.0
    if weight:
        learn_taste(state, item, weight * growth(state, event.at_s, bounds), bounds)
    return None


def _remember(state: BehaviorState, event: BehaviorEvent, weight: float, bounds: Bounds) -> None:
    assert event.item_id is not None
    item_id, at_s = event.item_id, event.at_s
    seen = state.recent.pop(item_id, None)
    if seen is None:
        state.recent[item_id] = (at_s, weight)
    else:
        state.recent[item_id] = (max(seen[0], at_s), max(seen[1], weight))
    if at_s < state.last_s:
        state.recent = dict(sorted(state.recent.items(), key=lambda entry: entry[1][0]))
    if len(state.recent) > bounds.recent_items:
        del state.recent[next(iter(state.recent))]
    if event.type is not EventType.PURCHASE:
        return
    times, first_s, last_s, spent = state.bought.pop(item_id, (0.0, at_s, at_s, 0.0))
    state.bought[item_id] = (
        times + 1.0,
        first_s if first_s < at_s else at_s,
        last_s if last_s > at_s else at_s,
        spent + max(event.value or 0.0, 0.0),
    )
    if at_s < state.last_s:
        state.bought = dict(sorted(state.bought.items(), key=lambda entry: entry[1][2]))
    if len(state.bought) > bounds.bought_items:
        del state.bought[next(iter(state.bought))]


def _take_back(
    state: BehaviorState, event: BehaviorEvent, item: ItemFacts | None, bounds: Bounds
) -> TakenBack | None:
    """Undo the newest purchase of the item: all of it, or what `value` is of a usual one's money.

    The visit before it is taken to have been one usual interval earlier, which is exact for two.
    """
    assert event.item_id is not None
    state.recent.pop(event.item_id, None)  # what was sent back must not bring up more of its kind
    bought = state.bought.pop(event.item_id, None)
    if bought is None:
        return None
    times, first_s, last_s, spent = bought
    back = 1.0
    if event.value is not None and event.value > 0 and spent > 0:
        back = event.value * times / spent
    kept = times - min(back, times)
    if kept < _NOTHING_KEPT:
        kept = 0.0
    visits, visits_kept = math.ceil(times), math.ceil(kept)
    gone = visits - visits_kept
    left = state.counts.get(EventType.PURCHASE, 0) - gone
    if left > 0:
        state.counts[EventType.PURCHASE] = left
    else:
        state.counts.pop(EventType.PURCHASE, None)
    if visits_kept:
        before_s = last_s - (last_s - first_s) * gone / max(visits - 1, 1)
        state.bought[event.item_id] = (kept, first_s, before_s, spent * kept / times)
        state.bought = dict(sorted(state.bought.items(), key=lambda entry: entry[1][2]))
    if item is not None:
        weight = AFFINITY_WEIGHT[EventType.PURCHASE] * (times - kept)
        _unlearn_taste(state, item, weight * growth(state, last_s, bounds))
    return TakenBack(times - kept, last_s)


def _hide(
    state: BehaviorState, event: BehaviorEvent, item: ItemFacts | None, bounds: Bounds
) -> None:
    """Hide the item or show it again. A hidden one brings up no more of its kind: it leaves the
    recent items, and the taste that one look at it taught goes with it."""
    assert event.item_id is not None
    hides = HIDES[event.type]
    if not say(state, event.item_id, hides, event.at_s, bounds) or not hides:
        return
    state.shown.pop(event.item_id, None)
    seen_s, _ = state.recent.get(event.item_id, (math.inf, 0.0))
    if seen_s <= event.at_s:
        del state.recent[event.item_id]
        if item is not None:
            weight = AFFINITY_WEIGHT[EventType.VIEW]
            _unlearn_taste(state, item, weight * growth(state, seen_s, bounds))


def learn_taste(state: BehaviorState, item: ItemFacts, weight: float, bounds: Bounds) -> None:
    """Add `weight`, as `growth` makes it, to the tastes that `item` speaks for."""
    categories, brands = state.categories, state.brands
    for level in item.category_levels:
        categories[level] = categories.get(level, 0.0) + weight
    if item.brand:
        brands[item.brand] = brands.get(item.brand, 0.0) + weight
    if len(categories) > 2 * bounds.affinities:
        _prune(categories, bounds.affinities)
    if len(brands) > 2 * bounds.affinities:
        _prune(brands, bounds.affinities)
    log_price = item.log_price
    if log_price == log_price:  # not NaN
        state.price_weight += weight
        state.price_sum += weight * log_price
        state.price_square_sum += weight * log_price * log_price


def _unlearn_taste(state: BehaviorState, item: ItemFacts, weight: float) -> None:
    """Take `weight` back from what learn_taste added it to; nothing falls below zero."""
    rest = _NOTHING_KEPT * weight
    for affinities, names in (
        (state.categories, item.category_levels),
        (state.brands, (item.brand,) if item.brand else ()),
    ):
        for name in names:
            left = affinities.get(name, 0.0) - weight
            if left > rest:
                affinities[name] = left
            else:
                affinities.pop(name, None)
    log_price = item.log_price
    if log_price == log_price:  # not NaN
        if state.price_weight - weight > rest:
            state.price_weight -= weight
            state.price_sum -= weight * log_price
            state.price_square_sum -= weight * log_price * log_price
        else:
            state.price_weight = state.price_sum = state.price_square_sum = 0.0


def _prune(affinities: dict[str, float], n_kept: int) -> None:
    strongest = sorted(affinities, key=affinities.__getitem__, reverse=True)
    for key in strongest[n_kept:]:
        del affinities[key]


def growth(state: BehaviorState, at_s: float, bounds: Bounds) -> float:
    """The forward-decay factor of an event at `at_s`; moves the landmark before it overflows."""
    exponent = (at_s - state.landmark_s) / bounds.half_life_s
    if exponent > 64:
        shrink = 2.0**-exponent
        for affinities in (state.categories, state.brands):
            for key in affinities:
                affinities[key] *= shrink
        state.price_weight *= shrink
        state.price_sum *= shrink
        state.price_square_sum *= shrink
        state.landmark_s = at_s
        return 1.0
    return 2.0**exponent if exponent > -1000.0 else 0.0


def _keep_newest(state: BehaviorState, query: str, at_s: float, bound: int) -> None:
    state.queries[query] = max(state.queries.pop(query, at_s), at_s)
    if at_s < state.last_s:
        state.queries = dict(sorted(state.queries.items(), key=lambda entry: entry[1]))
    if len(state.queries) > bound:
        del state.queries[next(iter(state.queries))]
