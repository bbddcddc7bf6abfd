"""How often an item was shown, looked at, taken: counts that fade, at several speeds at once.

Decay: exponential, `2 ** (-age / half_life)`.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from features.arrays import DoubleArray, FloatArray, IntArray, RowArray
from features.events.event import BehaviorEvent, EventType

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


class Counter(IntEnum):
    """What is counted of an item: the place of each count on the counters' axis."""

    EXAMINED = 0
    INTEREST = 1
    CART = 2
    PURCHASE = 3
    RETURN = 4


# Half-lives of item popularity: "right now", today, this week, this month, this season.
HALF_LIVES_S = {
    "1h": HOUR_S,
    "1d": DAY_S,
    "7d": 7 * DAY_S,
    "30d": 30 * DAY_S,
    "120d": 120 * DAY_S,
}
HALF_LIFE = {name: place for place, name in enumerate(HALF_LIVES_S)}  # on the half-lives' axis
ITEM_HALF_LIVES_S = np.array([*HALF_LIVES_S.values()])
COUNTS_SHAPE = (len(Counter), len(HALF_LIFE))  # of one item's counts
# A count below this has faded to nothing. Not higher: LightGBM takes no less for zero, and trained
# forests tell items apart by counts of an hour's half-life down to 2e-34, which is 4.7 days ago.
FADED = 1e-35
# How much an event of each Counter says of the demand for its item.
DEMAND = (0.0, 0.1, 0.3, 1.0, 0.0)
_DEMAND = np.array(DEMAND, np.float32)
_CHUNK = 10_000  # rows whose counts are faded at once: bounds memory, and how long others wait
_DECAY_PER_S = (-1.0 / ITEM_HALF_LIVES_S).astype(np.float32)
_COUNTER_OF = {
    EventType.IMPRESSION: Counter.EXAMINED,
    EventType.VIEW: Counter.INTEREST,
    EventType.CLICK: Counter.INTEREST,
    EventType.ADD_TO_CART: Counter.CART,
    EventType.PURCHASE: Counter.PURCHASE,
    EventType.RETURN: Counter.RETURN,
}

# P(examined | position) of a position-based click model, `position ** -EXAMINATION_DECAY`
# (Craswell et al., 2008, for the model): an impression far down counts as little exposure.
EXAMINATION_DECAY = 0.7


def counted(event: BehaviorEvent) -> tuple[Counter, float] | None:
    """The counter that an event adds to, and its weight; None: it is in no counter."""
    counter = _COUNTER_OF.get(event.type)
    if counter is None:
        return None
    if counter is Counter.EXAMINED:
        return counter, float(max(event.position or 1, 1)) ** -EXAMINATION_DECAY
    return counter, 1.0


class ItemCounters:
    """Decayed behaviour counts of all items, one row each.

    counts:  float32 (n_items, *COUNTS_SHAPE), valid at `at_s`
    at_s:    float64 (n_items,), the time of the row's newest event; 0 = never an event
    first_s: float64 (n_items,), the time of its oldest event; inf = never
    """

    def __init__(self, n_items: int) -> None:
        self.counts = np.zeros((n_items, *COUNTS_SHAPE), np.float32)
        self.at_s = np.zeros(n_items)
        self.first_s = np.full(n_items, np.inf)
        self.applied_seq = np.zeros(n_items, np.int64)

    def __len__(self) -> int:
        return len(self.at_s)

    def resize(self, n_items: int) -> None:
        """Make room for `n_items` rows; new rows have seen nothing."""
        n_before, grown = len(self), ItemCounters(n_items)
        for name in ("counts", "at_s", "first_s", "applied_seq"):
            getattr(grown, name)[:n_before] = getattr(self, name)
            setattr(self, name, getattr(grown, name))

    def add(
        self, rows: RowArray, counters: IntArray, weights: DoubleArray, at_s: DoubleArray
    ) -> None:
        """Count `weights` of the items in `rows` at `at_s`; what is negative takes back as much.

        All (n,). What concerns one item is counted in the order given: the n-th additions of all
        items are one step, so that many additions cost little more than those of the busiest item.
        """
        order = np.argsort(rows, kind="stable")
        first = np.flatnonzero(np.diff(rows[order], prepend=-1))
        nth = np.empty_like(order)
        nth[order] = np.arange(len(rows)) - np.repeat(first, np.diff(first, append=len(rows)))
        steps = np.split(np.argsort(nth, kind="stable"), np.cumsum(np.bincount(nth))[:-1])
        for step in steps:
            self._add(rows[step], counters[step], weights[step].astype(np.float32), at_s[step])

    def _add(
        self, rows: RowArray, counters: IntArray, weights: FloatArray, at_s: DoubleArray
    ) -> None:
        """`add`, of no item twice."""
        age_s = (at_s - self.at_s[rows]).astype(np.float32)
        late = age_s <= 0
        fade = np.exp2(_DECAY_PER_S * np.abs(age_s)[:, None])
        counts = self.counts[rows] * np.where(late[:, None], np.float32(1), fade)[:, None, :]
        added = np.where(late[:, None], fade, np.float32(1)) * weights[:, None]
        each = np.arange(len(rows))
        grown = counts[each, counters] + added
        floor = np.where(weights < 0, np.float32(0), np.float32(-np.inf))
        counts[each, counters] = np.maximum(grown, floor[:, None])
        self.counts[rows] = counts
        self.at_s[rows] = np.maximum(self.at_s[rows], at_s)
        self.first_s[rows] = np.minimum(self.first_s[rows], at_s)

    def take_share(
        self, row: int, levels: Sequence[float], at_s: float, half_life_s: float
    ) -> None:
        """Take what one shopper has given, as far as a sum of `half_life_s` knows it.

        levels: of each Counter, as of `at_s`. It comes off the counts of that half-life and of the
        slower ones, to which at least as much was given; faster ones fade by themselves.
        """
        slow = np.flatnonzero(half_life_s <= ITEM_HALF_LIVES_S)
        fade = np.exp2(_DECAY_PER_S[slow] * max(self.at_s.item(row) - at_s, 0.0))
        counts = self.counts[row][:, slow] - np.outer(levels, fade)
        self.counts[row][:, slow] = np.maximum(counts, 0.0)

    def at(self, rows: RowArray, now_s: float) -> FloatArray:
        """Counts of `rows` decayed to `now_s`: float32 (n, *COUNTS_SHAPE); 0 for what has FADED."""
        age_s = np.maximum(now_s - self.at_s.take(rows), 0.0)
        decay = np.exp2(-age_s[:, None] / ITEM_HALF_LIVES_S).astype(np.float32)
        counts: FloatArray = self.counts.take(rows, axis=0)
        counts *= decay[:, None, :]
        counts[counts < FADED] = 0.0
        return counts

    def demand(self, rows: RowArray, now_s: float) -> FloatArray:
        """How much `rows` were wanted lately, (n,): counts of a week's half-life by DEMAND."""
        demand = np.zeros(len(rows), np.float32)
        for start in range(0, len(rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            demand[part] = self.at(rows[part], now_s)[:, :, HALF_LIFE["7d"]] @ _DEMAND
        return demand
