"""Scores to an ordered slate: stable order, business rules, diversity, pins, exploration.

Every step is a permutation. A pinned item stands at its place whatever else moves; what is buried,
or hidden by the shopper, stays behind all others but pins. Propensities tell how likely the policy
was to put each item where it stands, so that what shoppers then do can be evaluated off-policy.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.arrays import DoubleArray, FloatArray
from features.behavior.matrix import Shopper
from features.catalog.table import ItemTable
from serving.ranking.request import Context
from serving.ranking.slate.bounds import Bounds
from serving.ranking.slate.moves import FREE, Moves, Notes, Order
from serving.ranking.values import NOBODY, Candidates, FeatureMatrix
from serving.shops.rules import Diversity, Rules


class Ordered(NamedTuple):
    """Indices of the candidates in order (m,), their propensities (m,), what moved whom, and what
    all candidates were ordered by (n,)."""

    order: Order
    propensity: FloatArray
    notes: Notes
    values: FloatArray


class SlatePolicy:
    """What the shop wants, whoever scored. rng: of exploration."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def order(
        self,
        table: ItemTable,
        rules: Rules,
        context: Context,
        candidates: Candidates,
        features: FeatureMatrix,
        scores: FloatArray,
        reach: float = 1.0,
        shopper: Shopper = NOBODY,
    ) -> Ordered:
        """All candidates in order, cut at the request's limit.

        scores: float32 (n,), higher is better; reach: how much less relevant to the query an item
        may be than one behind it (bounds.py); shopper: what is known of who asks
        """
        bounds = Bounds(candidates.relevance, reach)
        move = Moves(table, rules, context, candidates, features, shopper)
        if candidates.sort_key is not None:
            return _as_asked(candidates.sort_key, move, context)
        boosted = move.boosted(scores)
        values = bounds.bounded(boosted)
        order = np.argsort(-values, kind="stable")  # ties keep the order that was given
        buried = move.buried()
        lifted = _spread(order[~buried[order]], move.kinds(), rules.diversity, bounds)
        order = np.concatenate([lifted, order[buried[order]]])
        layout = move.layout()
        # Pinned and buried items take no part in exploration: the one stays, the other stays down.
        free = order if (layout == FREE).all() else order[~np.isin(order, layout)]
        slot = _free_slot(layout, rules.exploration.position)
        explorable = (features.exposure <= rules.exploration.max_exposure) & ~buried
        # What is explored passes everything behind the slot.
        behind = free[slot:]
        explorable[behind] &= bounds.may_lead(behind[~buried[behind]], behind)
        free, chance = _explore(
            free, explorable[free], slot, rules.exploration.share, self._rng, move.notes
        )
        order, propensity = layout.copy(), np.ones(len(layout), np.float32)
        order[layout == FREE], propensity[layout == FREE] = free, chance
        part = context.part(len(order))
        shown = scores if candidates.relevance is None else values
        return Ordered(order[part], propensity[part], move.notes, shown)


def _as_asked(sort_key: DoubleArray, move: Moves, context: Context) -> Ordered:
    """In the caller's own order, where only a bury moves anything."""
    order = np.argsort(sort_key, kind="stable")
    buried = move.buried()
    order = np.concatenate([order[~buried[order]], order[buried[order]]])
    part = context.part(len(order))
    sure = np.ones(len(order), np.float32)
    return Ordered(order[part], sure[part], move.notes, (-sort_key).astype(np.float32))


def _spread(order: Order, kinds: npt.NDArray[np.int32], rule: Diversity, bounds: Bounds) -> Order:
    """Take the best item that does not crowd its window and may lead; if all do, the best."""
    if rule.depth == 0 or len(order) <= 2:
        return order
    left = order.tolist()
    kind_of = kinds.tolist()
    placed: list[int] = []
    while left and len(placed) < rule.depth:
        window = [kind_of[index] for index in placed[-(rule.window - 1) :]]
        crowded = {kind for kind in window if kind >= 0 and window.count(kind) >= rule.max_same}
        best = 0
        if kind_of[left[0]] in crowded:
            leads = bounds.may_lead(np.array(left, np.int64)).tolist()
            free = (
                place
                for place, index in enumerate(left)
                if leads[place] and kind_of[index] not in crowded
            )
            best = next(free, 0)
        placed.append(left.pop(best))
    return np.array(placed + left, np.int64)


def _free_slot(layout: Order, position: int) -> int:
    """How many free places stand before `position` (1-based), or before the next free one."""
    return int(np.count_nonzero(layout[: position - 1] == FREE))


def _explore(
    order: Order,
    explorable: npt.NDArray[np.bool_],
    slot: int,
    share: float,
    rng: np.random.Generator,
    notes: Notes,
) -> tuple[Order, FloatArray]:
    """With probability `share`, move one explorable item, chosen evenly, up to place `slot`.

    `explorable` (n,) goes with `order`. The returned propensity (n,) is exact: the probability that
    this policy, given these scores, puts the item of each place at that place.
    """
    place = np.arange(len(order))
    behind = np.flatnonzero(explorable & (place > slot))
    if share == 0 or len(behind) == 0:
        return order, np.ones(len(order), np.float32)
    chance = share / len(behind)  # of each of them
    # An item at or behind the slot keeps its place unless the chosen one stood at or behind it.
    n_at_or_behind = len(behind) - np.searchsorted(behind, place, side="left")
    propensity = (1.0 - np.where(place >= slot, chance * n_at_or_behind, 0.0)).astype(np.float32)
    if rng.random() >= share:
        return order, propensity
    chosen = int(behind[rng.integers(len(behind))])
    moved = np.insert(np.delete(order, chosen), slot, order[chosen])
    propensity[slot] = chance
    # Those pushed down by one: exactly when any item behind them was chosen.
    pushed = np.arange(slot + 1, chosen + 1)
    propensity[pushed] = chance * (len(behind) - np.searchsorted(behind, pushed - 1, side="right"))
    notes.setdefault(int(order[chosen]), []).append("explore: hardly seen so far")
    return moved, propensity
