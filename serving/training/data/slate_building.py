"""Replays a log and turns its cases into slates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.progress import Progress

from features.behavior.fold import DAY_S, SESSION_BOUNDS, USER_BOUNDS, BehaviorState, fold
from features.behavior.history import Past, bought_items
from features.behavior.matrix import Shopper, behavior_features
from features.behavior.replay import Stop, replay
from features.catalog.table import ItemTable
from features.datasets.format import Dataset
from features.events.event import BehaviorEvent, EventType
from serving.models.runtime.scoring import BOUGHT_HISTORY, SESSION_HISTORY, USER_HISTORY
from serving.training.arrays import FloatArray, IntArray, RowArray
from serving.training.data.cases import NO_ROWS, Case, Draw
from serving.training.data.slates import Slates

POPULAR_HALF_LIFE = 4  # the 120-day purchase counter: what "popularity-matched" is drawn by


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


@dataclass(frozen=True, slots=True)
class _Slate:
    interactions: int
    user_history: IntArray
    session_history: IntArray
    bought: IntArray
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
        sold = stop.state.items.at(open_rows, case.at_s)[:, 3, POPULAR_HALF_LIFE] + 1e-9
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


def _history(state: BehaviorState | None, items: ItemTable, size: int) -> IntArray:
    out = np.full(size, -1, np.int32)
    if state is not None:
        rows = Past.of(state, items).recent
        rows = rows[rows >= 0][:size]
        out[: len(rows)] = rows
    return out


def _purchases(
    state: BehaviorState | None, items: ItemTable, at_s: float
) -> tuple[IntArray, FloatArray]:
    rows, values = bought_items(Past.of(state, items), at_s, BOUGHT_HISTORY)
    out = np.full(BOUGHT_HISTORY, -1, np.int32)
    purchases = np.zeros((BOUGHT_HISTORY, 3), np.float32)
    out[: len(rows)], purchases[: len(rows)] = rows, values
    return out, purchases
