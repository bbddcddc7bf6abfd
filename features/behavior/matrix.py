"""State and catalogue to the ranker's behaviour features: one row per candidate.

Serving and training call this same function, so a feature cannot mean two things. NaN says "not
known", which is not the same as zero: the ranker is trained with both.
"""

import math
from dataclasses import dataclass

import numpy as np

from features.arrays import FloatArray, RowArray
from features.behavior.history import (
    N_AFFINITIES,
    ItemHistory,
    affinities,
    neighbor_columns,
    purchases_of,
    recency_rank,
    shared_words,
    word_taste,
)
from features.behavior.item_features import ITEM_FEATURES, item_features
from features.behavior.state_rows import AnyState
from features.catalog.counters import DAY_S, ItemCounters
from features.catalog.item import CATEGORY_LEVELS
from features.catalog.table import ItemTable

Histories = tuple[ItemHistory, ItemHistory]  # of the user, of the session

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


@dataclass(frozen=True, slots=True)
class Shopper:
    """Who asks, as far as known. None is normal: a new shopper, a request without session."""

    user: AnyState | None = None
    session: AnyState | None = None

    def histories(self, items: ItemTable) -> Histories:
        """The rows of the items that user and session keep."""
        return ItemHistory.of(self.user, items), ItemHistory.of(self.session, items)


def behavior_features(
    shopper: Shopper,
    items: ItemTable,
    counters: ItemCounters,
    rows: RowArray,
    now_s: float,
    retrieval_score: FloatArray | None = None,
    query: str | None = None,
    histories: Histories | None = None,
    counts: FloatArray | None = None,
) -> FloatArray:
    """Features of the candidates in `rows` (-1: not in the catalogue), float32 (n, n_features).

    `retrieval_score` is (n,), NaN where a candidate came without one. `histories` are those of
    `shopper`, and `counts` those of `rows` at `now_s`, when the caller has looked them up already.
    """
    histories = histories or shopper.histories(items)
    known = rows >= 0
    if known.all():
        out = _known_features(shopper, items, counters, rows, now_s, query, histories, counts)
    else:
        out = np.full((len(rows), len(FEATURE_NAMES)), np.nan, np.float32)
        counts = None if counts is None else counts[known]
        out[known] = _known_features(
            shopper, items, counters, rows[known], now_s, query, histories, counts
        )
    _request_features(out, shopper, now_s, retrieval_score, bool(query))
    _slate_features(out)
    return out


def _known_features(
    shopper: Shopper,
    items: ItemTable,
    counters: ItemCounters,
    rows: RowArray,
    now_s: float,
    query: str | None,
    histories: Histories,
    counts: FloatArray | None,
) -> FloatArray:
    """The columns that need the item, of items that the catalogue has."""
    out = np.full((len(rows), len(FEATURE_NAMES)), np.nan, np.float32)
    if len(rows) == 0:
        return out
    out[:, : len(ITEM_FEATURES)] = item_features(items, counters, rows, now_s, counts)
    _shopper_features(out, shopper, histories, items, rows, now_s)
    never_seen = np.flatnonzero(counters.at_s.take(rows) == 0)
    if len(never_seen):
        out[never_seen[:, None], BEHAVIOR_OF_ITEM] = np.nan
    wanted = query or (next(reversed(shopper.session.queries), None) if shopper.session else None)
    if wanted:
        out[:, COLUMN["query_words"]] = shared_words(items, wanted, rows)
    return out


def _shopper_features(
    out: FloatArray,
    shopper: Shopper,
    histories: Histories,
    items: ItemTable,
    rows: RowArray,
    now_s: float,
) -> None:
    """The columns of USER_FEATURES and SESSION_FEATURES, as far as there is a user, a session."""
    weighted, columns, tastes = [], [], []
    user, session = shopper.user, shopper.session
    if user is not None and user.counts:
        history = histories[0]
        _user_features(out, history, items, rows, now_s)
        tastes.append((COLUMN["user_category_1"], user))
        weighted.append((history.recent, history.recent_weights))
        weighted.append((history.bought, history.bought_weights))
        columns += [("user_neighbor", None), ("user_bought_neighbor", "user_bought_companion")]
    if session is not None and session.counts:
        history = histories[1]
        out[:, COLUMN["session_recency_rank"]] = recency_rank(history, items, rows)
        tastes.append((COLUMN["session_category_1"], session))
        weighted.append((history.recent, history.recent_weights))
        columns.append(("session_neighbor", "session_companion"))
    if weighted:
        # One call each for all, since it gathers the candidates' rows of each table once.
        shares = affinities([state for _, state in tastes], items, rows)
        for index, (base, _) in enumerate(tastes):
            out[:, base : base + N_AFFINITIES] = shares[:, index]
        neighbors, basket_neighbors = neighbor_columns(items, weighted, rows)
        for index, (neighbor, basket_neighbor) in enumerate(columns):
            out[:, COLUMN[neighbor]] = neighbors[:, index]
            if basket_neighbor is not None:
                out[:, COLUMN[basket_neighbor]] = basket_neighbors[:, index]


def _user_features(
    out: FloatArray, history: ItemHistory, items: ItemTable, rows: RowArray, now_s: float
) -> None:
    base = COLUMN["user_times_bought"]
    count, first_s, last_s = purchases_of(history, items, rows).T
    since = np.maximum(now_s - last_s, 0.0) / DAY_S  # NaN for what was never bought
    out[:, base] = np.log1p(count)
    out[:, base + 1] = np.log1p(since)
    repeated = np.flatnonzero((count > 1) & (last_s > first_s))
    # A purchase of which a part came back was a visit all the same.
    rhythm = (last_s - first_s)[repeated] / DAY_S / (np.ceil(count[repeated]) - 1)
    out[repeated, base + 2] = np.log((since[repeated] + 0.5) / (rhythm + 0.5))  # 0: due now
    out[:, base + 3] = count / (history.purchases[:, 0].sum() or 1)
    known = np.flatnonzero(count > 0)
    days = np.maximum(now_s - first_s[known], 0.0) / DAY_S
    # Seven days are added so that one purchase today does not look like a daily habit.
    out[known, base + 4] = np.log(count[known] / (days + 7.0))
    out[:, COLUMN["user_recency_rank"]] = recency_rank(history, items, rows)
    base = COLUMN["user_words"]
    out[:, base], out[:, base + 1] = word_taste(items, *history.interactions(items), rows)


def _request_features(
    out: FloatArray,
    shopper: Shopper,
    now_s: float,
    retrieval_score: FloatArray | None,
    has_query: bool,
) -> None:
    finite = np.flatnonzero(np.isfinite(retrieval_score)) if retrieval_score is not None else ()
    if retrieval_score is not None and len(finite):
        # Retrieval scales differ from engine to engine: only the place within this slate is used.
        score = retrieval_score[finite]
        out[finite, COLUMN["retrieval_score"]] = (score - score.mean()) / (score.std() + 1e-6)
        best_first = finite[np.argsort(-score, kind="stable")]
        ranks = np.log1p(np.arange(len(score), dtype=np.float32))
        out[best_first, COLUMN["retrieval_rank"]] = ranks
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
