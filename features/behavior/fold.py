"""The fold: behaviour events in, bounded feature state out. No I/O, no clock, no randomness.

Live ingest, replay of a history and training run this same code. Every sum decays with the age of
its event measured from the event's own time, so late and out-of-order events give the state that
they would have given on time; only the eviction of a bounded list can depend on arrival order.

Affinities use forward decay (Cormode et al., 2009, "Forward decay: a practical time decay model"):
weights grow with event time instead of shrinking with age, so that adding an event touches one
entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from features.catalog.counters import DAY_S, HOUR_S, ItemCounters
from features.catalog.item import ItemFacts
from features.events.event import BehaviorEvent, EventType

# How strongly a behaviour speaks for a taste. A return takes its purchase back.
AFFINITY_WEIGHT = {
    EventType.VIEW: 1.0,
    EventType.CLICK: 1.0,
    EventType.DWELL: 1.0,
    EventType.ADD_TO_CART: 3.0,
    EventType.PURCHASE: 5.0,
    EventType.RETURN: -5.0,
}
MIN_DWELL_MS = 10_000  # a shorter look says nothing about taste


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one state may hold, and how fast its tastes fade."""

    recent_items: int
    bought_items: int
    affinities: int  # kept per kind; pruned at twice this number
    queries: int
    half_life_s: float


USER_BOUNDS = Bounds(
    recent_items=128, bought_items=512, affinities=64, queries=8, half_life_s=45 * DAY_S
)
SESSION_TTL_S = DAY_S  # a session that was idle for longer is over: here, online and in a replay
SESSION_BOUNDS = Bounds(
    recent_items=20, bought_items=32, affinities=24, queries=5, half_life_s=0.5 * HOUR_S
)


@dataclass(slots=True)
class BehaviorState:
    """What is known of one shopper or of one session; the feature row is this state.

    `recent` maps item -> (last time, strongest weight); `bought` maps item -> (count, first, last).
    Both, and `queries`, are kept in order of last time, oldest first; a codec must keep that order.
    Affinity values are forward-decayed to `landmark_s`: only their shares have a meaning.
    """

    landmark_s: float = 0.0
    first_s: float = 0.0
    last_s: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    recent: dict[str, tuple[float, float]] = field(default_factory=dict)
    bought: dict[str, tuple[int, float, float]] = field(default_factory=dict)
    categories: dict[str, float] = field(default_factory=dict)
    brands: dict[str, float] = field(default_factory=dict)
    price_weight: float = 0.0  # sums of weight, weight * log price, weight * log price squared
    price_sum: float = 0.0
    price_square_sum: float = 0.0
    queries: dict[str, float] = field(default_factory=dict)  # query -> last time
    applied_seq: int = 0  # log position of the last event folded in: a redelivery changes nothing

    @property
    def n_interactions(self) -> int:
        """Interactions of any kind with items; impressions and searches are not interactions."""
        return sum(n for kind, n in self.counts.items() if kind not in ("impression", "search"))

    def copy(self) -> "BehaviorState":
        """A state that shares nothing mutable with this one."""
        return replace(
            self,
            counts=dict(self.counts),
            recent=dict(self.recent),
            bought=dict(self.bought),
            categories=dict(self.categories),
            brands=dict(self.brands),
            queries=dict(self.queries),
        )


def fold(
    state: BehaviorState, event: BehaviorEvent, item: ItemFacts | None, bounds: Bounds
) -> BehaviorState:
    """Fold one event into `state` (in place: a replay folds millions) and return it.

    `item` is None when the catalogue does not know it: then only counts and recency change.
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
    weight = AFFINITY_WEIGHT.get(event.type)
    if weight is None or event.item_id is None:
        return state
    if event.type is EventType.DWELL and (event.dwell_ms or 0) < MIN_DWELL_MS:
        return state
    _remember(state, event, weight, bounds)
    if item is not None:
        _learn_taste(state, item, weight * _growth(state, at_s, bounds), bounds)
    return state


def _remember(state: BehaviorState, event: BehaviorEvent, weight: float, bounds: Bounds) -> None:
    assert event.item_id is not None
    item_id, at_s = event.item_id, event.at_s
    if event.type is EventType.RETURN:
        state.recent.pop(item_id, None)  # what was sent back must not bring up more of its kind
        return
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
    count, first_s, last_s = state.bought.pop(item_id, (0, at_s, at_s))
    state.bought[item_id] = (
        count + 1,
        first_s if first_s < at_s else at_s,
        last_s if last_s > at_s else at_s,
    )
    if at_s < state.last_s:
        state.bought = dict(sorted(state.bought.items(), key=lambda entry: entry[1][2]))
    if len(state.bought) > bounds.bought_items:
        del state.bought[next(iter(state.bought))]


def _learn_taste(state: BehaviorState, item: ItemFacts, weight: float, bounds: Bounds) -> None:
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
    if log_price == log_price and weight > 0:  # not NaN
        state.price_weight += weight
        state.price_sum += weight * log_price
        state.price_square_sum += weight * log_price * log_price


def _prune(affinities: dict[str, float], n_kept: int) -> None:
    strongest = sorted(affinities, key=affinities.__getitem__, reverse=True)
    for key in strongest[n_kept:]:
        del affinities[key]


def _growth(state: BehaviorState, at_s: float, bounds: Bounds) -> float:
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
                fold(state, event, item, bounds)
                state.applied_seq = seq
        row = self._row_of.get(event.item_id) if event.item_id else None
        if row is not None and seq > self.items.applied_seq.item(row):
            self.items.add(row, event)
            self.items.applied_seq[row] = seq
