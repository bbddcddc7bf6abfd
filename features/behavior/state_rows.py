"""Feature state as Feast columns and back, without loss: the feature row is the state.

A map travels as a list of names beside a list of numbers, in the map's own order, which the fold
relies on. Few columns, because Feast's SQLite store keeps a table row for each: in a prototype, 13
instead of 29 made the read of user and session 1.5 times as fast.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.arrays import BoolArray, DoubleArray, FloatArray, LongArray, RowArray
from features.behavior.state import BehaviorState, Marks
from features.catalog.counters import COUNTS_SHAPE, Counter, ItemCounters
from features.events.event import EventType

# The kind of each column, by its name in features.behavior.column_kinds.
BEHAVIOR_COLUMNS: dict[str, str] = {
    "first_s": "float64",
    "last_s": "float64",
    "counts": "int64 list",  # one for each EventType, in its order
    "recent_items": "string list",
    "recent_values": "float64 list",  # all last times, then all strengths
    "bought_items": "string list",
    "bought_values": "float64 list",  # all times bought, then first times, last times, money spent
    "categories": "string list",
    "category_weights": "float64 list",
    "brands": "string list",
    "brand_weights": "float64 list",
    "queries": "string list",
    "query_times": "float64 list",
    "taste": "float64 list",  # landmark, then the three price sums
    "unwanted_items": "string list",  # `hidden`, then `shown`
    "unwanted_values": "float64 list",  # all times, then _HIDDEN, _SHOW or impressions as of then
    "given_items": "string list",
    "given_values": "float64 list",  # all times, then all levels of each Counter
    "owner": "string",
    "origin": "string",
    "applied_seq": "int64",
}
FOLD_COLUMNS = ("given_items", "given_values", "owner")  # of no interest to a ranking
UNWANTED_COLUMNS = ("unwanted_items", "unwanted_values")
ORIGIN_COLUMNS = ("origin",)  # by which experiments know a shopper
_HIDDEN, _SHOW = -1.0, 0.0  # there are no fewer impressions of an item than one
ITEM_COLUMNS: dict[str, str] = {
    # (counter, half-life), COUNTS_SHAPE flattened
    "counts": "float32 list",
    "first_s": "float64",
    "last_s": "float64",
    "applied_seq": "int64",
}
_EVENT_TYPES = tuple(EventType)
_SHARE = 1 + len(Counter)  # numbers of a share

Row = dict[str, Any]


def state_to_row(state: BehaviorState) -> Row:
    """The columns of BEHAVIOR_COLUMNS."""
    recent, bought = list(state.recent.values()), list(state.bought.values())
    unwanted = [*state.hidden.values(), *state.shown.values()]
    marks = [_HIDDEN if hidden else _SHOW for _, hidden in state.hidden.values()]
    given = list(state.given.values())
    return {
        "first_s": state.first_s,
        "last_s": state.last_s,
        "counts": [state.counts.get(kind, 0) for kind in _EVENT_TYPES],
        "recent_items": list(state.recent),
        "recent_values": [value[part] for part in range(2) for value in recent],
        "bought_items": list(state.bought),
        "bought_values": [value[part] for part in range(4) for value in bought],
        "categories": list(state.categories),
        "category_weights": list(state.categories.values()),
        "brands": list(state.brands),
        "brand_weights": list(state.brands.values()),
        "queries": list(state.queries),
        "query_times": list(state.queries.values()),
        "taste": [
            state.landmark_s,
            state.price_weight,
            state.price_sum,
            state.price_square_sum,
        ],
        "unwanted_items": [*state.hidden, *state.shown],
        "unwanted_values": [
            *(at_s for at_s, _ in unwanted),
            *marks,
            *(times for _, times in state.shown.values()),
        ],
        "given_items": list(state.given),
        "given_values": [value[part] for part in range(_SHARE) for value in given],
        "owner": state.owner,
        "origin": state.origin,
        "applied_seq": state.applied_seq,
    }


def states_to_columns(states: Iterable[BehaviorState]) -> dict[str, list[Any]]:
    """The columns of BEHAVIOR_COLUMNS, one entry a state."""
    rows = [state_to_row(state) for state in states]
    return {name: [row[name] for row in rows] for name in BEHAVIOR_COLUMNS}


def row_to_state(row: Mapping[str, Any]) -> BehaviorState:
    """The state that `state_to_row` was given; what an older row lacks may be missing."""
    counts = zip(_EVENT_TYPES, row["counts"], strict=False)  # an older row may know fewer types
    landmark_s, price_weight, price_sum, price_square_sum = row["taste"]
    recent = _parts(row["recent_values"], len(row["recent_items"]))
    bought = list(_parts(row["bought_values"], len(row["bought_items"])))
    if len(bought) == 3:  # an older row does not know what was spent
        bought.append([0.0] * len(row["bought_items"]))
    given_items, given_values = row.get("given_items", ()), row.get("given_values", ())
    hidden, shown = _unwanted(row.get("unwanted_items", ()), row.get("unwanted_values", ()))
    return BehaviorState(
        landmark_s=landmark_s,
        first_s=row["first_s"],
        last_s=row["last_s"],
        counts={kind: count for kind, count in counts if count},
        recent=_map(row["recent_items"], zip(*recent, strict=True)),
        bought=_map(row["bought_items"], zip(*bought, strict=True)),
        categories=_map(row["categories"], row["category_weights"]),
        brands=_map(row["brands"], row["brand_weights"]),
        price_weight=price_weight,
        price_sum=price_sum,
        price_square_sum=price_square_sum,
        queries=_map(row["queries"], row["query_times"]),
        hidden=hidden,
        shown=shown,
        given=_map(given_items, zip(*_parts(given_values, len(given_items)), strict=True)),
        owner=row.get("owner", ""),
        origin=row.get("origin", ""),
        applied_seq=row["applied_seq"],
    )


@dataclass(frozen=True, slots=True)
class ItemRows:
    """Counter rows of items, columns as in ItemCounters; an unknown item has at_s 0."""

    item_ids: tuple[str, ...]
    counts: FloatArray  # (n, counters, half-lives)
    at_s: DoubleArray  # (n,)
    first_s: DoubleArray  # (n,)
    applied_seq: LongArray  # (n,)

    def put_into(self, counters: ItemCounters, rows: RowArray) -> None:
        """Overwrite `rows` of `counters` (-1: left out)."""
        known = rows >= 0
        rows = rows[known]
        counters.counts[rows] = self.counts[known]
        counters.at_s[rows] = self.at_s[known]
        counters.first_s[rows] = self.first_s[known]
        counters.applied_seq[rows] = self.applied_seq[known]

    def where(self, keep: BoolArray) -> "ItemRows":
        """Only the rows where `keep`, bool (n,), is true."""
        ids = tuple(item_id for item_id, kept in zip(self.item_ids, keep, strict=True) if kept)
        return ItemRows(
            ids,
            self.counts[keep],
            self.at_s[keep],
            self.first_s[keep],
            self.applied_seq[keep],
        )

    @staticmethod
    def taken_from(counters: ItemCounters, rows: RowArray, item_ids: Sequence[str]) -> "ItemRows":
        """A copy of `rows` of `counters`, which are those of `item_ids`."""
        return ItemRows(
            tuple(item_ids),
            counters.counts[rows],
            counters.at_s[rows],
            counters.first_s[rows],
            counters.applied_seq[rows],
        )

    def columns(self) -> dict[str, list[Any]]:
        """The columns of ITEM_COLUMNS."""
        return {
            "counts": list(
                self.counts.reshape(len(self.counts), COUNTS_SHAPE[0] * COUNTS_SHAPE[1])
            ),
            "first_s": self.first_s.tolist(),
            "last_s": self.at_s.tolist(),
            "applied_seq": self.applied_seq.tolist(),
        }


def _parts(values: Sequence[float], n_names: int) -> list[Sequence[float]]:
    """The values of `n_names` names, part by part."""
    return [values[start : start + n_names] for start in range(0, len(values), n_names or 1)]


def _unwanted(names: Sequence[str], values: Sequence[float]) -> tuple[Marks, Marks]:
    """`hidden` and `shown` of a state."""
    hidden: Marks = {}
    shown: Marks = {}
    for name, at_s, mark in zip(names, *_parts(values, len(names)), strict=True):
        if mark > 0:
            shown[name] = (at_s, mark)
        else:
            hidden[name] = (at_s, float(mark == _HIDDEN))
    return hidden, shown


def _map(names: Sequence[str], values: Iterable[Any]) -> dict[str, Any]:
    return dict(zip(names, values, strict=True))
