"""Training and evaluation rows: cases of a log, replayed into slates of candidates."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

from features.behavior.fold import SESSION_BOUNDS, USER_BOUNDS, BehaviorState, fold
from features.behavior.history import ItemHistory, bought_items
from features.behavior.matrix import BEHAVIOR_OF_ITEM, COLUMN, Shopper, behavior_features
from features.behavior.replay import Stop, replay
from features.catalog.counters import DAY_S, HALF_LIFE, Counter
from features.catalog.table import ItemTable
from features.datasets.format import Dataset
from features.events.event import BehaviorEvent, EventType
from serving.models.runtime.scoring import BOUGHT_HISTORY, SESSION_HISTORY, USER_HISTORY

FloatArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.int64]
NO_ROWS: RowArray = np.zeros(0, np.int64)

POPULAR_HALF_LIFE = HALF_LIFE["120d"]  # of the purchases that "popularity-matched" is drawn by


@dataclass(frozen=True, slots=True)
class Draw:
    """How many label-0 candidates to add to a case, and from where."""

    popular: int = 0  # with probability proportional to past purchases
    uniform: int = 0
    own: int = 0  # what the shopper has bought before
    catalogue: bool = False  # everything that is available


@dataclass(frozen=True, slots=True)
class Case:
    """One ranking to be made at `at_s`, from what the events before `position` tell.

    rows, labels, weights: (n,) candidates that are given, with relevance label (0 = not wanted) and
    weight of the label; `draw` adds more. `excluded`: rows that must not be drawn. `begun`: rows
    that already lie in the session's cart.
    """

    position: int
    at_s: float
    user_id: str = ""
    session_id: str = ""
    query: str = ""
    rows: RowArray = field(default_factory=lambda: NO_ROWS)
    labels: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    weights: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    retrieval_score: FloatArray | None = None
    draw: Draw = Draw()
    excluded: RowArray = field(default_factory=lambda: NO_ROWS)
    begun: RowArray = field(default_factory=lambda: NO_ROWS)


@dataclass(frozen=True, slots=True)
class Slates:
    """Cases as columns; slate i owns candidates `offsets[i]:offsets[i + 1]`.

    queries:         (n,) "" = none; at_s: float64 (n,); interactions: int64 (n,) of the shopper
    user_history:    int32 (n, USER_HISTORY) item rows, newest first, -1 = none;
    session_history: int32 (n, SESSION_HISTORY)
    bought:          int32 (n, BOUGHT_HISTORY); purchases: float32 (n, BOUGHT_HISTORY, 3) of each
                     times bought, days since the first and the last
    item_rows:       int64 (R,); labels, weights: float32 (R,)
    features:        float32 (R, len(FEATURE_NAMES)), NaN = unknown
    """

    queries: tuple[str, ...]
    at_s: npt.NDArray[np.float64]
    interactions: RowArray
    user_history: npt.NDArray[np.int32]
    session_history: npt.NDArray[np.int32]
    bought: npt.NDArray[np.int32]
    purchases: FloatArray
    offsets: RowArray
    item_rows: RowArray
    labels: FloatArray
    weights: FloatArray
    features: FloatArray

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def slate_of(self) -> RowArray:
        """The slate of each candidate: int64 (R,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def take(self, chosen: RowArray) -> "Slates":
        """The slates `chosen`, in that order."""
        sizes = np.diff(self.offsets)[chosen]
        rows = np.concatenate(
            [np.arange(self.offsets[i], self.offsets[i + 1]) for i in chosen.tolist()] or [NO_ROWS]
        )
        return Slates(
            tuple(self.queries[i] for i in chosen.tolist()),
            self.at_s[chosen],
            self.interactions[chosen],
            self.user_history[chosen],
            self.session_history[chosen],
            self.bought[chosen],
            self.purchases[chosen],
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            self.item_rows[rows],
            self.labels[rows],
            self.weights[rows],
            self.features[rows],
        )


def build_slates(
    dataset: Dataset,
    items: ItemTable,
    cases: Sequence[Case],
    seed: int,
    progress: Progress | None = None,
    refresh_s: float = 28 * DAY_S,
) -> Slates:
    """Replay the log once and materialise every case, in the order given."""
    positions = np.array([case.position for case in cases], np.int64)
    made: dict[int, _Slate] = {}
    for stop in replay(dataset, items, positions, progress, refresh_s):
        rng = np.random.default_rng((seed, stop.index))  # a case's draw does not depend on others
        made[stop.index] = _slate(cases[stop.index], stop, rng)
    slates = [made[index] for index in range(len(cases))]
    sizes = np.array([len(slate.rows) for slate in slates], np.int64)
    return Slates(
        tuple(case.query for case in cases),
        np.array([case.at_s for case in cases]),
        np.array([slate.interactions for slate in slates], np.int64),
        np.stack([slate.user_history for slate in slates]),
        np.stack([slate.session_history for slate in slates]),
        np.stack([slate.bought for slate in slates]),
        np.stack([slate.purchases for slate in slates]),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.concatenate([slate.rows for slate in slates]),
        np.concatenate([slate.labels for slate in slates]),
        np.concatenate([slate.weights for slate in slates]),
        np.concatenate([slate.features for slate in slates]),
    )


def in_slate_order(
    values: Sequence[npt.NDArray[np.generic]], cases: Sequence[Case], slates: Slates
) -> npt.NDArray[Any]:
    """What stands beside the `rows` of each case, in the order of the slates made of them: (R,)."""
    out = np.zeros(len(slates.item_rows), values[0].dtype if len(values) else np.float32)
    for index, (found, case) in enumerate(zip(values, cases, strict=True)):
        part = slice(slates.offsets[index], slates.offsets[index + 1])
        place = {row: number for number, row in enumerate(case.rows.tolist())}
        out[part] = found[[place[row] for row in slates.item_rows[part].tolist()]]
    return out


def concatenate(first: Slates, second: Slates) -> Slates:
    """The slates of both, one set after the other."""
    joined = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])
        for name in (
            "at_s", "interactions", "user_history", "session_history", "bought", "purchases",
            "item_rows", "labels", "weights", "features",
        )
    }  # fmt: skip
    offsets = np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]])
    return Slates(queries=first.queries + second.queries, offsets=offsets, **joined)


def hide_behavior(slates: Slates, share: float, rng: np.random.Generator) -> Slates:
    """Make a random `share` of the candidates look new, wanted and unwanted ones alike.

    Their behaviour is NaN and half of them entered the catalogue in the last two weeks. A new item
    is then ranked by its text, age and price, and its lack of behaviour says nothing against it.
    """
    features = slates.features.copy()
    hidden = np.flatnonzero(rng.random(len(features)) < share)
    features[hidden[:, None], list(BEHAVIOR_OF_ITEM)] = np.nan
    young = rng.random(len(hidden)) < 0.5
    age_days = np.where(young, rng.uniform(0, 14, len(hidden)), np.nan)
    features[hidden, COLUMN["item_age_days"]] = np.log1p(age_days)
    return replace(slates, features=features)


@dataclass(frozen=True, slots=True)
class _Slate:
    interactions: int
    user_history: npt.NDArray[np.int32]
    session_history: npt.NDArray[np.int32]
    bought: npt.NDArray[np.int32]
    purchases: FloatArray
    rows: RowArray
    labels: FloatArray
    weights: FloatArray
    features: FloatArray


def _slate(case: Case, stop: Stop, rng: np.random.Generator) -> _Slate:
    user = stop.state.users.get(case.user_id)
    session = stop.state.sessions.get(case.session_id)
    rows, score = case.rows, case.retrieval_score
    drawn = _drawn(case, stop, user, rng)
    if len(drawn):
        rows = np.concatenate([rows, drawn])
        score = None
    order = rng.permutation(len(rows))  # the place in the slate must not tell the label
    zeros = np.zeros(len(drawn), np.float32)
    if len(case.begun):
        user, session = _with_cart(case, stop, user, session)
    return _Slate(
        user.n_interactions if user else 0,
        _history(user, stop.items, USER_HISTORY),
        _history(session, stop.items, SESSION_HISTORY),
        *_purchases(user, stop.items, case.at_s),
        rows[order],
        np.concatenate([case.labels, zeros])[order],
        np.concatenate([case.weights, zeros + 1])[order],
        behavior_features(
            Shopper(user, session),
            stop.items,
            stop.state.items,
            rows[order],
            case.at_s,
            None if score is None else score[order],
            query=case.query,
        ),
    )


def _drawn(
    case: Case, stop: Stop, user: BehaviorState | None, rng: np.random.Generator
) -> RowArray:
    draw, n_items = case.draw, len(stop.items)
    if draw == Draw():
        return NO_ROWS
    created_s = stop.items.created_s[:n_items]
    allowed = ~(created_s > case.at_s)  # NaN: always there
    allowed[case.rows] = False
    allowed[case.excluded] = False
    allowed[case.begun] = False
    open_rows = np.flatnonzero(allowed)
    if draw.catalogue:
        return open_rows
    parts = [rng.choice(open_rows, min(draw.uniform, len(open_rows)), replace=False)]
    if draw.popular:
        counts = stop.state.items.at(open_rows, case.at_s)
        sold = counts[:, Counter.PURCHASE, POPULAR_HALF_LIFE] + 1e-9
        # The largest of log(p) + Gumbel noise: a draw without replacement, in proportion to p.
        keys = np.log(sold) + rng.gumbel(size=len(sold))
        best = np.argpartition(-keys, min(draw.popular, len(keys) - 1))[: draw.popular]
        parts.append(open_rows[best])
    if draw.own and user is not None:
        bought = stop.items.rows(list(user.bought))
        bought = bought[(bought >= 0) & allowed[bought]]
        parts.append(rng.permutation(bought)[: draw.own])
    return np.unique(np.concatenate(parts))


def _with_cart(
    case: Case, stop: Stop, user: BehaviorState | None, session: BehaviorState | None
) -> tuple[BehaviorState | None, BehaviorState]:
    """Both states after the session put `begun` into its cart; the replay's own stay untouched."""
    user = user.copy() if user is not None else None
    session = session.copy() if session is not None else BehaviorState()
    for row in case.begun.tolist():
        item_id = stop.items.item_ids[row]
        event = BehaviorEvent("", EventType.ADD_TO_CART, case.at_s, item_id=item_id)
        fold(session, event, stop.items.facts[item_id], SESSION_BOUNDS)
        if user is not None:
            fold(user, event, stop.items.facts[item_id], USER_BOUNDS)
    return user, session


def _history(state: BehaviorState | None, items: ItemTable, size: int) -> npt.NDArray[np.int32]:
    out = np.full(size, -1, np.int32)
    if state is not None:
        rows = ItemHistory.of(state, items).recent
        rows = rows[rows >= 0][:size]
        out[: len(rows)] = rows
    return out


def _purchases(
    state: BehaviorState | None, items: ItemTable, at_s: float
) -> tuple[npt.NDArray[np.int32], FloatArray]:
    rows, values = bought_items(ItemHistory.of(state, items), at_s, BOUGHT_HISTORY)
    out = np.full(BOUGHT_HISTORY, -1, np.int32)
    purchases = np.zeros((BOUGHT_HISTORY, 3), np.float32)
    out[: len(rows)], purchases[: len(rows)] = rows, values
    return out, purchases
