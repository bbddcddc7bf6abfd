"""Scores to an ordered slate: stable order, business rules, diversity, pins, exploration.

Every step is a permutation. A pinned item stands at its place whatever else moves; a buried one
stays behind all others but pins. Propensities tell how likely the policy was to put each item where
it stands, so that what shoppers then do can be evaluated off-policy.
"""

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from features.catalog.item import category_path
from features.catalog.table import ItemTable
from features.catalog.words import words
from serving.ranking.values import (
    FeatureMatrix,
    FloatArray,
    RankingRequest,
    Reason,
    Route,
    Scores,
    Slate,
)
from serving.shops.rules import Diversity, Match, Pin, Rules

Order = npt.NDArray[np.int64]
_FREE = -1


class SlatePolicy:
    """What the shop wants, whoever scored."""

    def __init__(self, rules: Rules, items: ItemTable, rng: np.random.Generator) -> None:
        self._rules = rules
        self._items = items
        self._rng = rng

    def slate(
        self,
        request: RankingRequest,
        features: FeatureMatrix,
        scores: Scores,
        route: Route,
        reason: Reason | None = None,
    ) -> Slate:
        """The answer: all candidates in order, cut at the request's limit."""
        notes: dict[int, list[str]] = {}
        now = datetime.fromtimestamp(request.at_s, UTC)
        values = self._boosted(request, features, scores.values, now, notes)
        order = np.argsort(-values, kind="stable")  # ties keep the asked order
        buried = self._buried(request, features, now, notes)
        lifted = _spread(order[~buried[order]], self._kinds(features), self._rules.diversity)
        order = np.concatenate([lifted, order[buried[order]]])
        layout = self._layout(request, now, notes)
        # Pinned and buried items take no part in exploration: the one stays, the other stays down.
        free = order if (layout == _FREE).all() else order[~np.isin(order, layout)]
        slot = _free_slot(layout, self._rules.exploration.position)
        explorable = (features.exposure <= self._rules.exploration.max_exposure) & ~buried
        free, chance = _explore(
            free, explorable[free], slot, self._rules.exploration.share, self._rng, notes
        )
        order, propensity = layout.copy(), np.ones(len(layout), np.float32)
        order[layout == _FREE], propensity[layout == _FREE] = free, chance
        end = request.limit or len(order)
        return Slate(request, features, scores, order[:end], propensity[:end], notes, route, reason)

    def _boosted(
        self,
        request: RankingRequest,
        features: FeatureMatrix,
        values: FloatArray,
        now: datetime,
        notes: dict[int, list[str]],
    ) -> FloatArray:
        spread = (float(values.std()) if len(values) else 0.0) or 1.0
        for boost in self._rules.boosts:
            if boost.active(now):
                hit = self._matches(boost.match, request, features)
                values = values + np.where(hit, boost.lift * spread, 0.0).astype(np.float32)
                _note(notes, hit, f"boost {boost.lift:+g}: {boost.reason}")
        return values

    def _buried(
        self,
        request: RankingRequest,
        features: FeatureMatrix,
        now: datetime,
        notes: dict[int, list[str]],
    ) -> npt.NDArray[np.bool_]:
        buried = np.zeros(len(request.item_ids), bool)
        for bury in self._rules.buries:
            if bury.active(now):
                hit = self._matches(bury.match, request, features)
                buried |= hit
                _note(notes, hit, f"bury: {bury.reason}")
        return buried

    def _layout(self, request: RankingRequest, now: datetime, notes: dict[int, list[str]]) -> Order:
        """The slate with only the pinned items in it, (n,); _FREE elsewhere."""
        pins: dict[int, Pin] = {}
        if self._rules.pins:
            index_of = {item_id: index for index, item_id in enumerate(request.item_ids)}
            # Of two pins for one item or one place, the one that names the query is meant.
            for pin in sorted(self._rules.pins, key=lambda pin: pin.query_contains is not None):
                asked = pin.query_contains is None or _has_words(request.query, pin.query_contains)
                if asked and pin.active(now) and pin.item_id in index_of:
                    pins[index_of[pin.item_id]] = pin
        layout = [_FREE] * (len(request.item_ids) - len(pins))
        for index, pin in sorted(pins.items(), key=lambda entry: entry[1].position):
            layout.insert(min(pin.position - 1, len(layout)), index)
            notes.setdefault(index, []).append(f"pin at {pin.position}: {pin.reason}")
        return np.array(layout, np.int64)

    def _matches(
        self, match: Match, request: RankingRequest, features: FeatureMatrix
    ) -> npt.NDArray[np.bool_]:
        n = len(request.item_ids)
        if match.query_contains and not _has_words(request.query, match.query_contains):
            return np.zeros(n, bool)
        hit = np.ones(n, bool)
        if match.item_id is not None:
            hit &= np.array([item_id == match.item_id for item_id in request.item_ids], bool)
        if match.category is not None:
            code = self._items.category_code.get(category_path(match.category), -2)
            hit &= (features.category == code).any(axis=1)
        if match.brand is not None:
            hit &= features.brand == self._items.brand_code.get(match.brand, -2)
        return hit

    def _kinds(self, features: FeatureMatrix) -> npt.NDArray[np.int32]:
        """What diversity compares, (n,); -1 is like nothing else."""
        if self._rules.diversity.by == "brand":
            return features.brand
        return features.deepest_category


def _spread(order: Order, kinds: npt.NDArray[np.int32], rule: Diversity) -> Order:
    """Take the best item that does not crowd its window; if all do, the best of them."""
    if rule.depth == 0 or len(order) <= 2:
        return order
    left = order.tolist()
    kind_of = kinds.tolist()
    placed: list[int] = []
    while left and len(placed) < rule.depth:
        window = [kind_of[index] for index in placed[-(rule.window - 1) :]]
        crowded = {kind for kind in window if kind >= 0 and window.count(kind) >= rule.max_same}
        free = (place for place, index in enumerate(left) if kind_of[index] not in crowded)
        placed.append(left.pop(next(free, 0)))
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
    notes: dict[int, list[str]],
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


def _note(notes: dict[int, list[str]], hit: npt.NDArray[np.bool_], text: str) -> None:
    for index in np.flatnonzero(hit).tolist():
        notes.setdefault(index, []).append(text)
