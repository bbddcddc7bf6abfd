"""State and catalogue to the ranker's behaviour features: one row per candidate.

Serving and training call this same function, so a feature cannot mean two things. NaN says "not
known", which is not the same as zero: the ranker is trained with both.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.aggregate import (
    DAY_S,
    ITEM_COUNTERS,
    ITEM_HALF_LIVES_S,
    BehaviorState,
    ItemCounters,
)
from features.catalog import CATEGORY_LEVELS, ItemTable
from features.matching import (
    affinities,
    neighbor_columns,
    recency_rank,
    shared_words,
    taken_weights,
    word_taste,
)
from features.matching import neighbor_score as neighbor_score
from features.matching import recent_weights as recent_weights

FloatArray = npt.NDArray[np.float32]

_HALF_LIFE_NAMES = ("1h", "1d", "7d", "30d", "120d")
_TRENDS = ((1, 2), (2, 3), (3, 4))  # pairs of half-lives: faster over slower
CTR_PRIOR = (1.0, 20.0)  # pseudo clicks and examinations: an unseen item has the shop's usual rate

ITEM_FEATURES = (
    *(f"item_purchase_{name}" for name in _HALF_LIFE_NAMES),
    *(f"item_interest_{name}" for name in ("1h", "1d", "7d", "30d")),
    *(f"item_cart_{name}" for name in ("1d", "30d")),
    *(f"item_trend_{_HALF_LIFE_NAMES[a]}_{_HALF_LIFE_NAMES[b]}" for a, b in _TRENDS),
    "item_click_rate_7d",
    "item_click_rate_120d",
    "item_buy_rate_120d",
    "item_return_rate_120d",
    "item_age_days",
    "item_idle_days",
    "item_log_price",
)
USER_FEATURES = (
    "user_times_bought",
    "user_days_since_bought",
    "user_repeat_due",
    "user_share_of_bought",
    "user_buy_rate",
    "user_recency_rank",
    *(f"user_category_{level + 1}" for level in range(CATEGORY_LEVELS)),
    "user_brand",
    "user_price_distance",
    "user_neighbor",
    "user_bought_neighbor",
    "user_bought_companion",
    "user_words",
    "user_words_mean",
)
SESSION_FEATURES = (
    "session_recency_rank",
    *(f"session_category_{level + 1}" for level in range(CATEGORY_LEVELS)),
    "session_brand",
    "session_price_distance",
    "session_neighbor",
    "session_companion",
)
REQUEST_FEATURES = (
    "retrieval_score",
    "retrieval_rank",
    "user_interactions",
    "user_idle_days",
    "session_interactions",
    "has_query",
    "query_words",  # share of the query's words that the item has; without one, of the last query's
    "slate_popularity",
    "slate_popularity_place",
)
FEATURE_NAMES: tuple[str, ...] = ITEM_FEATURES + USER_FEATURES + SESSION_FEATURES + REQUEST_FEATURES
COLUMN = {name: index for index, name in enumerate(FEATURE_NAMES)}

# The columns that need behaviour of the item itself. A new item has none: they are NaN together.
NEIGHBOR_FEATURES = (
    "user_neighbor",
    "user_bought_neighbor",
    "user_bought_companion",
    "session_neighbor",
    "session_companion",
)
BEHAVIOR_OF_ITEM = tuple(
    COLUMN[name]
    for name in (*ITEM_FEATURES, *NEIGHBOR_FEATURES, "slate_popularity_place")
    if name not in ("item_age_days", "item_log_price")
)


_NEVER = (0, math.nan, math.nan)  # times bought, first and last: unix seconds


@dataclass(frozen=True, slots=True)
class Shopper:
    """Who asks, as far as known. None is normal: a new shopper, a request without session."""

    user: BehaviorState | None = None
    session: BehaviorState | None = None


def behavior_features(
    shopper: Shopper,
    items: ItemTable,
    counters: ItemCounters,
    rows: npt.NDArray[np.int64],
    now_s: float,
    retrieval_score: FloatArray | None = None,
    query: str | None = None,
) -> FloatArray:
    """Features of the candidates in `rows` (-1: not in the catalogue), float32 (n, n_features).

    `retrieval_score` is (n,), NaN where a candidate came without one.
    """
    out = np.full((len(rows), len(FEATURE_NAMES)), np.nan, np.float32)
    known = np.flatnonzero(rows >= 0)
    if len(known):
        known_rows = rows[known]
        _item_features(out, known, items, counters, known_rows, now_s)
        if shopper.user is not None and shopper.user.counts:
            _user_features(out, known, shopper.user, items, known_rows, now_s)
        if shopper.session is not None and shopper.session.counts:
            _session_features(out, known, shopper.session, items, known_rows)
        never_seen = known[counters.at_s[known_rows] == 0]
        out[np.ix_(never_seen, BEHAVIOR_OF_ITEM)] = np.nan
        wanted = query or (
            next(reversed(shopper.session.queries), None) if shopper.session else None
        )
        if wanted:
            out[known, COLUMN["query_words"]] = shared_words(items, wanted, known_rows)
    _request_features(out, shopper, now_s, retrieval_score, bool(query))
    _slate_features(out)
    return out


def _item_features(
    out: FloatArray,
    at: npt.NDArray[np.int64],
    items: ItemTable,
    counters: ItemCounters,
    rows: npt.NDArray[np.int64],
    now_s: float,
) -> None:
    counts = counters.at(rows, now_s)
    examined, interest, cart, purchase, returned = (
        counts[:, index] for index in range(len(ITEM_COUNTERS))
    )
    columns = [
        *(np.log1p(purchase[:, i]) for i in range(5)),
        *(np.log1p(interest[:, i]) for i in range(4)),
        *(np.log1p(cart[:, i]) for i in (1, 3)),
    ]
    demand = purchase + 0.2 * interest
    # A steady item has demand proportional to the half-life: 0 = steady, above = rising.
    per_day = (demand + 0.05) / (ITEM_HALF_LIVES_S / DAY_S)
    columns += [np.log(per_day[:, a] / per_day[:, b]) for a, b in _TRENDS]
    clicks, exposures = CTR_PRIOR
    columns += [
        (interest[:, i] + clicks) / (examined[:, i] + interest[:, i] + exposures) for i in (2, 4)
    ]
    columns.append((purchase[:, 4] + 0.2) / (interest[:, 4] + purchase[:, 4] + 4.0))
    columns.append((returned[:, 4] + 0.1) / (purchase[:, 4] + 2.0))
    born_s = np.fmin(items.created_s[rows], counters.first_s[rows])
    # Born now or later: the event that is being predicted made it known, and must not tell.
    age = (now_s - np.where(born_s < now_s, born_s, np.nan)) / DAY_S
    columns.append(np.log1p(age))
    idle = np.where(counters.at_s[rows] > 0, (now_s - counters.at_s[rows]) / DAY_S, np.nan)
    columns.append(np.log1p(np.maximum(idle, 0.0)))
    columns.append(items.log_price[rows])
    out[at[:, None], np.arange(len(columns))] = np.stack(columns, 1)


def _user_features(
    out: FloatArray,
    at: npt.NDArray[np.int64],
    user: BehaviorState,
    items: ItemTable,
    rows: npt.NDArray[np.int64],
    now_s: float,
) -> None:
    base = COLUMN["user_times_bought"]
    bought = user.bought
    taken = [bought.get(items.item_ids[row], _NEVER) for row in rows.tolist()]
    count, first_s, last_s = np.array(taken, np.float64).reshape(-1, 3).T
    out[at, base] = np.log1p(count)
    since = np.maximum(now_s - last_s, 0.0) / DAY_S  # NaN for what was never bought, and on
    out[at, base + 1] = np.log1p(since)
    repeated = np.flatnonzero((count > 1) & (last_s > first_s))
    rhythm = (last_s - first_s)[repeated] / DAY_S / (count[repeated] - 1)
    out[at[repeated], base + 2] = np.log((since[repeated] + 0.5) / (rhythm + 0.5))  # 0: due now
    out[at, base + 3] = count / (sum(times for times, _, _ in bought.values()) or 1)
    known = np.flatnonzero(count > 0)
    days = np.maximum(now_s - first_s[known], 0.0) / DAY_S
    # A week of doubt: once today is no habit.
    out[at[known], base + 4] = np.log(count[known] / (days + 7.0))
    place = {row: i for i, row in zip(at.tolist(), rows.tolist(), strict=True)}
    recency_rank(out, COLUMN["user_recency_rank"], at, place, user, items)
    affinities(out, COLUMN["user_category_1"], at, user, items, rows)
    base = COLUMN["user_words"]
    out[at, base], out[at, base + 1] = word_taste(items, taken_weights(user), rows)
    times = np.log1p([times for times, _, _ in bought.values()]).tolist()
    base = COLUMN["user_neighbor"]
    out[at, base], _ = neighbor_columns(items, recent_weights(user), rows)
    out[at, base + 1], out[at, base + 2] = neighbor_columns(
        items, dict(zip(bought, times, strict=True)), rows
    )


def _session_features(
    out: FloatArray,
    at: npt.NDArray[np.int64],
    session: BehaviorState,
    items: ItemTable,
    rows: npt.NDArray[np.int64],
) -> None:
    place = {row: i for i, row in zip(at.tolist(), rows.tolist(), strict=True)}
    recency_rank(out, COLUMN["session_recency_rank"], at, place, session, items)
    affinities(out, COLUMN["session_category_1"], at, session, items, rows)
    base = COLUMN["session_neighbor"]
    out[at, base], out[at, base + 1] = neighbor_columns(items, recent_weights(session), rows)


def _request_features(
    out: FloatArray,
    shopper: Shopper,
    now_s: float,
    retrieval_score: FloatArray | None,
    has_query: bool,
) -> None:
    if retrieval_score is not None and np.isfinite(retrieval_score).any():
        # Retrieval scales differ from engine to engine: only the place within this slate is used.
        score = np.where(np.isfinite(retrieval_score), retrieval_score, np.nan)
        spread = np.nanstd(score)
        out[:, COLUMN["retrieval_score"]] = (score - np.nanmean(score)) / (spread + 1e-6)
        order = np.argsort(-score, kind="stable")  # NaN last
        rank = np.empty(len(score), np.float32)
        rank[order] = np.log1p(np.arange(len(score), dtype=np.float32))
        out[:, COLUMN["retrieval_rank"]] = np.where(np.isfinite(score), rank, np.nan)
    user, session = shopper.user, shopper.session
    out[:, COLUMN["user_interactions"]] = math.log1p(user.n_interactions) if user else 0.0
    if user and user.counts:
        out[:, COLUMN["user_idle_days"]] = math.log1p(max(now_s - user.last_s, 0.0) / DAY_S)
    out[:, COLUMN["session_interactions"]] = math.log1p(session.n_interactions) if session else 0.0
    out[:, COLUMN["has_query"]] = float(has_query)


def _slate_features(out: FloatArray) -> None:
    """What kind of candidates were asked about: their mean popularity, and each one's place in it.

    Being popular says much among a random shelf and nothing among bestsellers.
    """
    popularity = out[:, COLUMN["item_purchase_120d"]]
    known = np.flatnonzero(~np.isnan(popularity))
    if len(known) == 0:
        return
    out[:, COLUMN["slate_popularity"]] = popularity[known].mean()
    place = np.searchsorted(np.sort(popularity[known]), popularity[known], side="right")
    out[known, COLUMN["slate_popularity_place"]] = place / len(known)
