"""Scores to an ordered slate: stable order, business rules, diversity, pins, exploration.

Every step is a permutation. A pinned item stands at its place whatever else moves; a buried one
stays behind all others but pins. Propensities tell how likely the policy was to put each item where
it stands, so that what shoppers then do can be evaluated off-policy.
"""

from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.arrays import DoubleArray, FloatArray
from features.catalog.item import category_path
from features.catalog.table import ItemTable
from features.catalog.words import words
from serving.ranking.bounds import Bounds
from serving.ranking.values import Candidates, Context, FeatureMatrix
from serving.shops.rules import Diversity, Match, Pin, Rules

Order = npt.NDArray[np.int64]
_FREE = -1


Notes = dict[int, list[str]]  # candidate index -> rules that moved it


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
    ) -> Ordered:
        """All candidates in order, cut at the request's limit.

        scores: float32 (n,), higher is better; reach: how much less relevant to the query an item
        may be than one behind it (bounds.py)
        """
        bounds = Bounds(candidates.relevance, reach)
        move = _Moves(table, rules, context, candidates, features)
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
        free = order if (layout == _FREE).all() else order[~np.isin(order, layout)]
        slot = _free_slot(layout, rules.exploration.position)
        explorable = (features.exposure <= rules.exploration.max_exposure) & ~buried
        # What is explored passes everything behind the slot.
        behind = free[slot:]
        explorable[behind] &= bounds.may_lead(behind[~buried[behind]], behind)
        free, chance = _explore(
            free, explorable[free], slot, rules.exploration.share, self._rng, move.notes
        )
        order, propensity = layout.copy(), np.ones(len(layout), np.float32)
        order[layout == _FREE], propensity[layout == _FREE] = free, chance
        part = context.part(len(order))
        shown = scores if candidates.relevance is None else values
        return Ordered(order[part], propensity[part], move.notes, shown)


def _as_asked(sort_key: DoubleArray, move: "_Moves", context: Context) -> Ordered:
    """In the caller's own order, where only a bury moves anything."""
    order = np.argsort(sort_key, kind="stable")
    buried = move.buried()
    order = np.concatenate([order[~buried[order]], order[buried[order]]])
    part = context.part(len(order))
    sure = np.ones(len(order), np.float32)
    return Ordered(order[part], sure[part], move.notes, (-sort_key).astype(np.float32))


class _Moves:
    """The rules that hold for one request, and their notes."""

    def __init__(
        self,
        table: ItemTable,
        rules: Rules,
        context: Context,
        candidates: Candidates,
        features: FeatureMatrix,
    ) -> None:
        self._table = table
        self._rules = rules
        self._query = context.query
        self._now = datetime.fromtimestamp(context.at_s, UTC)
        self._item_ids = candidates.item_ids
        self._features = features
        self.notes: Notes = {}

    def boosted(self, values: FloatArray) -> FloatArray:
        """The scores after the boosts, (n,)."""
        spread = (float(values.std()) if len(values) else 0.0) or 1.0
        for boost in self._rules.boosts:
            if boost.active(self._now):
                hit = self._matches(boost.match)
                values = values + np.where(hit, boost.lift * spread, 0.0).astype(np.float32)
                _note(self.notes, hit, f"boost {boost.lift:+g}: {boost.reason}")
        return values

    def buried(self) -> npt.NDArray[np.bool_]:
        """Which candidates stay behind all others, (n,)."""
        buried = np.zeros(len(self._item_ids), bool)
        for bury in self._rules.buries:
            if bury.active(self._now):
                hit = self._matches(bury.match)
                buried |= hit
                _note(self.notes, hit, f"bury: {bury.reason}")
        return buried

    def layout(self) -> Order:
        """The slate with only the pinned items in it, (n,); _FREE elsewhere."""
        pins: dict[int, Pin] = {}
        if self._rules.pins:
            index_of = {item_id: index for index, item_id in enumerate(self._item_ids)}
            # Of two pins for one item or one place, the one that names the query is meant.
            for pin in sorted(self._rules.pins, key=lambda pin: pin.query_contains is not None):
                meant = pin.query_contains is None or _has_words(self._query, pin.query_contains)
                if meant and pin.active(self._now) and pin.item_id in index_of:
                    pins[index_of[pin.item_id]] = pin
        layout = [_FREE] * (len(self._item_ids) - len(pins))
        for index, pin in sorted(pins.items(), key=lambda entry: entry[1].position):
            layout.insert(min(pin.position - 1, len(layout)), index)
            self.notes.setdefault(index, []).append(f"pin at {pin.position}: {pin.reason}")
        return np.array(layout, np.int64)

    def kinds(self) -> npt.NDArray[np.int32]:
        """What diversity compares, (n,); -1 is like nothing else."""
        if self._rules.diversity.by == "brand":
            return self._features.brand
        return self._features.deepest_category

    def _matches(self, match: Match) -> npt.NDArray[np.bool_]:
        n = len(self._item_ids)
        if match.query_contains and not _has_words(self._query, match.query_contains):
            return np.zeros(n, bool)
        hit = np.ones(n, bool)
        if match.item_id is not None:
            hit &= np.array([item_id == match.item_id for item_id in self._item_ids], bool)
        if match.category is not None:
            code = self._table.category_code.get(category_path(match.category), -2)
            hit &= (self._features.category == code).any(axis=1)
        if match.brand is not None:
            hit &= self._features.brand == self._table.brand_code.get(match.brand, -2)
        return hit


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
    return int(np.count_nonzero(layout[: position - 1] == _FREE))


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


def _has_words(query: str | None, wanted: str) -> bool:
    return query is not None and words(wanted) <= words(query)


def _note(notes: Notes, hit: npt.NDArray[np.bool_], text: str) -> None:
    for index in np.flatnonzero(hit).tolist():
        notes.setdefault(index, []).append(text)
