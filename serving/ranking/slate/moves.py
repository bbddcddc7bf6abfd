"""The merchandiser's rules for one request: what they lift, put down and pin."""

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray
from features.catalog.item import category_path
from features.catalog.table import ItemTable
from features.catalog.words import words
from serving.ranking.request import Context
from serving.ranking.values import Candidates, FeatureMatrix
from serving.shops.rules import Match, Pin, Rules

Order = npt.NDArray[np.int64]
Notes = dict[int, list[str]]  # candidate index -> rules that moved it
FREE = -1  # a place of a layout that no pin takes


class Moves:
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
        """The slate with only the pinned items in it, (n,); FREE elsewhere."""
        pins: dict[int, Pin] = {}
        if self._rules.pins:
            index_of = {item_id: index for index, item_id in enumerate(self._item_ids)}
            # Of two pins for one item or one place, the one that names the query is meant.
            for pin in sorted(self._rules.pins, key=lambda pin: pin.query_contains is not None):
                meant = pin.query_contains is None or _has_words(self._query, pin.query_contains)
                if meant and pin.active(self._now) and pin.item_id in index_of:
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


def _has_words(query: str | None, wanted: str) -> bool:
    return query is not None and words(wanted) <= words(query)


def _note(notes: Notes, hit: npt.NDArray[np.bool_], text: str) -> None:
    for index in np.flatnonzero(hit).tolist():
        notes.setdefault(index, []).append(text)
