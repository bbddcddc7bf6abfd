"""Replays a log and turns its cases into slates."""

from collections.abc import Sequence

import numpy as np
from rich.progress import Progress

from features.arrays import FloatArray, IntArray, RowArray
from features.behavior.fold import fold
from features.behavior.history import ItemHistory, bought_items
from features.behavior.matrix import Shopper, behavior_features
from features.behavior.replay import Stop, replay
from features.behavior.state import SESSION_BOUNDS, USER_BOUNDS, BehaviorState
from features.catalog.counters import DAY_S, HALF_LIFE, Counter
from features.catalog.table import ItemTable
from features.datasets.format import Dataset
from features.events.event import BehaviorEvent, EventType
from serving.training.data.cases import NO_ROWS, Case, Draw
from serving.training.data.slates import LIMITS, Slates, concatenate

POPULAR_HALF_LIFE = HALF_LIFE["120d"]  # of the purchases that popular candidates are drawn by


def build_slates(
    dataset: Dataset,
    items: ItemTable,
    cases: Sequence[Case],
    seed: int,
    progress: Progress | None = None,
    refresh_s: float = 28 * DAY_S,
) -> Slates:
    """Replay the log once and make the slates of `cases`, in the order given.

    `refresh_s`: how old a neighbour table may get.
    """
    positions = np.array([case.position for case in cases], np.int64)
    made: dict[int, Slates] = {}
    for stop in replay(dataset, items, positions, progress, refresh_s):
        rng = np.random.default_rng((seed, stop.index))  # a case's draw does not depend on others
        made[stop.index] = _slate(cases[stop.index], stop, rng)
    return concatenate([made[index] for index in range(len(cases))])


def _slate(case: Case, stop: Stop, rng: np.random.Generator) -> Slates:
    """The one slate of `case`, as the log stood at `stop`."""
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
    bought, purchases = _purchases(user, stop.items, case.at_s)
    return Slates(
        queries=(case.query,),
        at_s=np.array([case.at_s]),
        interactions=np.array([user.n_interactions if user else 0], np.int64),
        user_history=_history(user, stop.items, LIMITS.user_history)[None],
        session_history=_history(session, stop.items, LIMITS.session_history)[None],
        bought=bought[None],
        purchases=purchases[None],
        offsets=np.array([0, len(rows)], np.int64),
        item_rows=rows[order],
        labels=np.concatenate([case.labels, zeros])[order],
        weights=np.concatenate([case.weights, zeros + 1])[order],
        features=behavior_features(
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


def _history(state: BehaviorState | None, items: ItemTable, size: int) -> IntArray:
    out = np.full(size, -1, np.int32)
    if state is not None:
        rows = ItemHistory.of(state, items).recent
        rows = rows[rows >= 0][:size]
        out[: len(rows)] = rows
    return out


def _purchases(
    state: BehaviorState | None, items: ItemTable, at_s: float
) -> tuple[IntArray, FloatArray]:
    rows, values = bought_items(ItemHistory.of(state, items), at_s, LIMITS.bought_history)
    out = np.full(LIMITS.bought_history, -1, np.int32)
    purchases = np.zeros((LIMITS.bought_history, 3), np.float32)
    out[: len(rows)], purchases[: len(rows)] = rows, values
    return out, purchases
