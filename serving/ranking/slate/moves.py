"""The rules for one request, the shop's and the shopper's: what is lifted, put down and pinned."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, FloatArray, RowArray
from features.behavior.matrix import Shopper
from features.behavior.state_rows import AnyState
from features.behavior.unwanted import hidden_items, hidden_kinds, shown_often
from features.catalog.counters import HOUR_S
from features.catalog.table import ItemTable
from features.catalog.words import folded, words
from serving.ranking.request import Context
from serving.ranking.slate.because import done_with
from serving.ranking.values import Candidates, FeatureMatrix
from serving.search.pictures.match import LooksLike
from serving.shops.exploration import Looks
from serving.shops.rules import Boost, Fatigue, Match, Pin, Rules

Order = npt.NDArray[np.int64]
Notes = dict[int, list[str]]  # candidate index -> rules that moved it
SPONSORED = "sponsored "  # begins the note of a boost that was paid for
FLOOR = "floor of exposure"  # what lifts items that are to be shown more often
_ALIKE = 0.5  # how much an item looks like another one to be said so
FREE = -1  # a place of a layout that no pin takes
_folded = lru_cache(10_000)(folded)  # a shop has few names and values, and each is met often


class Moves:
    """The rules that hold for one request, and their notes. shopper: what is known of who asks."""

    def __init__(
        self,
        table: ItemTable,
        rules: Rules,
        context: Context,
        candidates: Candidates,
        features: FeatureMatrix,
        shopper: Shopper,
    ) -> None:
        self._table = table
        self._rules = rules
        self._context = context
        self._query = context.query
        self._now = datetime.fromtimestamp(context.at_s, UTC)
        self._item_ids = candidates.item_ids
        self._features = features
        self._states = [s for s in (shopper.user, shopper.session) if s is not None]
        self._hidden = self._hidden_by(self._states)
        self.notes: Notes = {}

    def _hidden_by(self, states: Sequence[AnyState]) -> BoolArray:
        """Which candidates the shopper has hidden, itself or by brand or category, (n,)."""
        items, (brands, categories) = hidden_items(states), hidden_kinds(states)
        hidden = np.zeros(len(self._item_ids), bool)
        if items:
            hidden |= np.array([item_id in items for item_id in self._item_ids], bool)
        if brands:
            hidden |= self._table.of_brand(self._features.rows, *brands)
        for path in categories:
            hidden |= self._table.in_category(self._features.rows, path)
        return hidden

    def boosted(self, values: FloatArray, owed: FloatArray | None = None) -> FloatArray:
        """The scores after boosts, fatigue and what floors owe (floors.py), (n,); `values` itself
        where no rule asks for any."""
        tires = self._query is None and self._rules.fatigue.strength > 0
        looks = self._features.looks if self._rules.looks.strength > 0 else None
        asked = self._rules.boosts or self._context.boosts or self._context.leanings or tires
        if not asked and owed is None and looks is None:
            return values
        spread = (float(values.std()) if len(values) else 0.0) or 1.0
        at_most = self._context.max_boost
        lift = self._lift((*self._rules.boosts, *self._context.leanings))
        lift += self._lift(self._context.boosts).clip(-at_most, at_most)
        if owed is not None:
            lift += owed
            _note(self.notes, owed > 0, FLOOR)
        if looks is not None:
            lift += self._looks_like(looks, self._rules.looks)
        if tires:
            lift -= self._fatigue(self._rules.fatigue)
        return values + lift * np.float32(spread)

    def _looks_like(self, looks: LooksLike, rule: Looks) -> FloatArray:
        """How far items step up that look like what the shopper chose, in spreads, (n,); the less,
        the more is known of how they are taken."""
        unknown = np.clip(1 - self._features.exposure / np.float32(rule.max_exposure), 0, 1)
        lift: FloatArray = np.float32(rule.strength) * looks.alike * unknown
        told = (lift > 0) & (looks.alike >= _ALIKE) if self._context.explain else ()
        done = done_with(self._states, self._table) if len(told) else {}
        for index in np.flatnonzero(told).tolist():
            row = int(looks.row[index])
            note = f"looks +{lift[index]:.2g}: like {self._table.items[row].title}, {done[row]}"
            self.notes.setdefault(index, []).append(note)
        return lift

    def _fatigue(self, rule: Fatigue) -> FloatArray:
        """How far items step back that were shown in vain, in spreads, (n,).

        By the rule's strength at twice as many impressions as may lead to nothing.
        """
        back = np.zeros(len(self._item_ids), np.float32)
        often = shown_often(self._states, self._context.at_s, rule.after, rule.half_life_h * HOUR_S)
        for index, item_id in enumerate(self._item_ids if often else ()):
            if item_id in often:
                lasting, times = often[item_id]
                back[index] = rule.strength * min(lasting / rule.after - 1.0, 1.0)
                if self._context.explain:
                    note = f"fatigue -{back[index]:.2g}: shown {times:.0f} times, not clicked"
                    self.notes.setdefault(index, []).append(note)
        return back

    def _lift(self, boosts: Sequence[Boost]) -> FloatArray:
        """What `boosts` add up to, in spreads, (n,)."""
        lift = np.zeros(len(self._item_ids), np.float32)
        for boost in boosts:
            if boost.active(self._now):
                hit = self._matches(boost.match)
                lift[hit] += boost.lift
                paid = SPONSORED if boost.sponsored else ""
                _note(self.notes, hit, f"{paid}boost {boost.lift:+g}: {boost.reason}")
        return lift

    def buried(self) -> BoolArray:
        """Which candidates stay behind all others, (n,)."""
        buried = np.zeros(len(self._item_ids), bool)
        if self._hidden.any():
            buried |= self._hidden
            _note(self.notes, buried, "hidden by the shopper")
        for bury in self._rules.buries:
            if bury.active(self._now):
                hit = self._matches(bury.match)
                buried |= hit
                _note(self.notes, hit, f"bury: {bury.reason}")
        return buried

    def layout(self) -> Order:
        """The slate with only the pinned items in it, (n,); FREE elsewhere."""
        if not self._rules.pins:
            return np.full(len(self._item_ids), FREE)
        pins: dict[int, Pin] = {}
        index_of = {item_id: index for index, item_id in enumerate(self._item_ids)}
        # Of two pins for one item or one place, the one that names the query is meant.
        for pin in sorted(self._rules.pins, key=lambda pin: pin.query_contains is not None):
            meant = pin.query_contains is None or _has_words(self._query, pin.query_contains)
            if pin.item_id not in index_of or self._hidden[index_of[pin.item_id]]:
                continue
            if meant and pin.active(self._now):
                pins[index_of[pin.item_id]] = pin
        layout = [FREE] * (len(self._item_ids) - len(pins))
        for index, pin in sorted(pins.items(), key=lambda entry: entry[1].position):
            layout.insert(min(pin.position - 1, len(layout)), index)
            self.notes.setdefault(index, []).append(f"pin at {pin.position}: {pin.reason}")
        return np.array(layout, np.int64)

    def kinds(self) -> npt.NDArray[np.int32]:
        """What diversity compares, (n,); -1 is like nothing else."""
        if self._rules.diversity.by == "brand":
            return self._features.brand
        return self._features.deepest_category

    def _matches(self, match: Match) -> BoolArray:
        n = len(self._item_ids)
        if match.query_contains and not _has_words(self._query, match.query_contains):
            return np.zeros(n, bool)
        hit = np.ones(n, bool)
        if match.item_id is not None:
            hit &= np.array([item_id == match.item_id for item_id in self._item_ids], bool)
        rows = self._features.rows
        if match.category is not None:
            hit &= self._table.in_category(rows, match.category)
        if match.brand is not None:
            hit &= self._table.of_brand(rows, match.brand)
        if match.attributes:
            hit &= having(self._table, rows, match.attributes)
        return hit


def having(table: ItemTable, rows: RowArray, wanted: Mapping[str, Sequence[str]]) -> BoolArray:
    """Which items of `rows` have one of the values of each attribute, whatever their capitals and
    spaces, (n,); a row of -1 has none."""
    any_of = [[(_folded(name), _folded(v)) for v in values] for name, values in wanted.items()]
    hit = np.zeros(len(rows), bool)
    for index, row in enumerate(rows.tolist()):
        attributes = table.items[row].attributes if row >= 0 else {}
        own = {(_folded(name), _folded(value)) for name, value in attributes.items()}
        hit[index] = all(not own.isdisjoint(pairs) for pairs in any_of)
    return hit


def _has_words(query: str | None, wanted: str) -> bool:
    return query is not None and words(wanted) <= words(query)


def _note(notes: Notes, hit: BoolArray, text: str) -> None:
    for index in np.flatnonzero(hit).tolist():
        notes.setdefault(index, []).append(text)
