"""What is known of a shopper or of a session, and how much of it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from features.catalog.counters import DAY_S, HOUR_S


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one state may hold, and how fast its tastes fade."""

    recent_items: int
    bought_items: int
    affinities: int  # kept per kind; pruned at twice this number
    queries: int
    shares: int  # kept; pruned at twice this number
    hidden: int
    shown: int  # kept; pruned at twice this number
    half_life_s: float


USER_BOUNDS = Bounds(
    recent_items=128, bought_items=512, affinities=64, queries=8, shares=64, hidden=128, shown=128,
    half_life_s=45 * DAY_S,
)  # fmt: skip
SESSION_TTL_S = DAY_S  # a session that was idle for longer is over: here, online and in a replay
SESSION_BOUNDS = Bounds(
    recent_items=20, bought_items=32, affinities=24, queries=5, shares=16, hidden=32, shown=32,
    half_life_s=0.5 * HOUR_S,
)  # fmt: skip


Shares = dict[str, tuple[float, ...]]  # item -> time, then a level of each Counter
Marks = dict[str, tuple[float, float]]  # item -> time, and what holds as of then
_NO_INTERACTION = frozenset({"impression", "search", "hide", "unhide", "forget"})


@dataclass(slots=True)
class BehaviorState:
    """What is known of one shopper or of one session; the feature row is this state.

    `recent` maps item -> (last time, strongest weight); `bought` maps item -> (times, first time,
    last time, money spent), less what was returned: a purchase of which a third came back is .67.
    `hidden` maps item -> (time, 1 = hidden or 0 = to be shown again). These three, and `queries`,
    are kept in order of last time, oldest first; a codec must keep that order. `shown` maps item ->
    (last time, impressions as of then that led to nothing): features.behavior.unwanted.
    Affinity values are forward-decayed to `landmark_s`: only their shares have a meaning.
    """

    landmark_s: float = 0.0
    first_s: float = 0.0
    last_s: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    recent: dict[str, tuple[float, float]] = field(default_factory=dict)
    bought: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    categories: dict[str, float] = field(default_factory=dict)
    brands: dict[str, float] = field(default_factory=dict)
    price_weight: float = 0.0  # sums of weight, weight * log price, weight * log price squared
    price_sum: float = 0.0
    price_square_sum: float = 0.0
    queries: dict[str, float] = field(default_factory=dict)  # query -> last time
    hidden: Marks = field(default_factory=dict)
    shown: Marks = field(default_factory=dict)
    hidden_kinds: Marks = field(default_factory=dict)  # of brands and categories: `kind_of`
    given: Shares = field(default_factory=dict)  # to items' counters: features.behavior.shares
    owner: str = ""  # of a session: the user that it was given to; see features.behavior.sign_in
    origin: str = ""  # of a user: the session that it began as, which it stays known by
    applied_seq: int = 0  # log position of the last event folded in: a redelivery changes nothing

    @property
    def n_interactions(self) -> int:
        """Interactions of any kind with items."""
        return interactions(self.counts)

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
            hidden=dict(self.hidden),
            hidden_kinds=dict(self.hidden_kinds),
            shown=dict(self.shown),
            given=dict(self.given),
        )


def interactions(counts: Mapping[str, int]) -> int:
    """Interactions with items, of `counts` by type; to be shown one is none, nor to hide one."""
    return sum(n for kind, n in counts.items() if kind not in _NO_INTERACTION)
