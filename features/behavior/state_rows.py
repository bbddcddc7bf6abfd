"""Feature state as its row and back, without loss: the feature row is the state.

A map travels as a list of names beside a list of numbers, in the map's own order, which the fold
relies on. Snapshots have a column for each list; the online store has one, PACKED, with all of them
in it, since what Feast reads costs by the column (docs/adr/0040).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import msgpack
import numpy as np

from features.arrays import DoubleArray
from features.behavior.state import BehaviorState, Marks, Shares, interactions
from features.catalog.counters import Counter
from features.events.event import OF_ANSWERS, EventType

# The kind of each column, by its name in features.behavior.column_kinds.
BEHAVIOR_COLUMNS: dict[str, str] = {
    "first_s": "float64",
    "last_s": "float64",
    "counts": "int64 list",  # one for each EventType of items, in its order
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
    "unwanted_kinds": "string list",
    "unwanted_kind_values": "float64 list",  # all times, then _HIDDEN or _SHOW
    "given_items": "string list",
    "given_values": "float64 list",  # all times, then all levels of each Counter
    "owner": "string",
    "origin": "string",
    "applied_seq": "int64",
}
PACKED = "state"  # the column of the online store: all of the above, by `pack`
FOLD_COLUMNS = ("given_items", "given_values", "owner")  # of no interest to a ranking
UNWANTED_COLUMNS = ("unwanted_items", "unwanted_values")
KIND_COLUMNS = ("unwanted_kinds", "unwanted_kind_values")
ORIGIN_COLUMNS = ("origin",)  # by which experiments know a shopper
_HIDDEN, _SHOW = -1.0, 0.0  # there are no fewer impressions of an item than one
_EVENT_TYPES = tuple(kind for kind in EventType if kind not in OF_ANSWERS)
_SHARE = 1 + len(Counter)  # numbers of a share
# Of a column of numbers: the column of names that it is of, and how many there are of each name.
_NUMBERED = {
    "recent_values": ("recent_items", 2),
    "bought_values": ("bought_items", 4),
    "category_weights": ("categories", 1),
    "brand_weights": ("brands", 1),
    "query_times": ("queries", 1),
    "unwanted_values": ("unwanted_items", 2),
    "unwanted_kind_values": ("unwanted_kinds", 2),
    "given_values": ("given_items", _SHARE),
}
_ARRAYS = dict.fromkeys([*_NUMBERED, "taste"], "<f8") | {"counts": "<i8"}  # packed as their bytes

Row = Mapping[str, Any]  # lists or arrays by column


def state_to_row(state: BehaviorState) -> dict[str, Any]:
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
        "unwanted_kinds": list(state.hidden_kinds),
        "unwanted_kind_values": [
            *(at_s for at_s, _ in state.hidden_kinds.values()),
            *(_HIDDEN if hidden else _SHOW for _, hidden in state.hidden_kinds.values()),
        ],
        "given_items": list(state.given),
        "given_values": [value[part] for part in range(_SHARE) for value in given],
        "owner": state.owner,
        "origin": state.origin,
        "applied_seq": state.applied_seq,
    }


def states_to_columns(states: Iterable[BehaviorState]) -> dict[str, list[Any]]:
    """The columns of a snapshot, one entry a state: BEHAVIOR_COLUMNS, and nothing in PACKED."""
    rows = [state_to_row(state) for state in states]
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in BEHAVIOR_COLUMNS}
    return {**columns, PACKED: [None] * len(rows)}


def pack(state: BehaviorState) -> bytes:
    """The row of `state` in one piece: its columns by name as MessagePack, numbers as arrays."""
    row = state_to_row(state)
    for name, dtype in _ARRAYS.items():
        row[name] = np.array(row[name], dtype).tobytes()
    packed: bytes = msgpack.packb(row)
    return packed


class StateRow:
    """A state as its row holds it, to be read only: a map is made when somebody asks for it.

    What an older row lacks may be missing from it.
    """

    def __init__(self, row: Row) -> None:
        self._row = row
        self.looked_up: tuple[object, Any] | None = None  # ItemHistory.of keeps what it has found
        self.first_s: float = row["first_s"]
        self.last_s: float = row["last_s"]
        self.owner: str = row.get("owner", "")
        self.origin: str = row.get("origin", "")
        self.applied_seq: int = row["applied_seq"]
        taste = np.asarray(row["taste"], np.float64).tolist()
        self.landmark_s, self.price_weight, self.price_sum, self.price_square_sum = taste
        # An older row may know fewer types.
        counts = zip(_EVENT_TYPES, np.asarray(row["counts"], np.int64).tolist(), strict=False)
        self.counts: dict[str, int] = {kind: count for kind, count in counts if count}

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """The row that `pack` has packed."""
        row = msgpack.unpackb(packed)
        for name, dtype in _ARRAYS.items():
            if name in row:  # an older row lacks some
                row[name] = np.frombuffer(row[name], dtype)
        return cls(row)

    @staticmethod
    def of(state: "AnyState") -> "StateRow":
        """The row of a state, which may be one already."""
        return state if isinstance(state, StateRow) else StateRow(state_to_row(state))

    def state(self) -> BehaviorState:
        """The state, to fold into; it shares its maps with this row."""
        return BehaviorState(**{name: getattr(self, name) for name in BehaviorState.__slots__})

    @property
    def n_interactions(self) -> int:
        """As of BehaviorState."""
        return interactions(self.counts)

    def names(self, column: str) -> Sequence[str]:
        """A column of names, (n,)."""
        names: Sequence[str] = self._row.get(column, ())
        return names

    def numbers(self, column: str) -> DoubleArray:
        """A column of numbers, float64 (numbers of each name, n)."""
        names, parts = _NUMBERED[column]
        n = len(self.names(names))
        values = np.asarray(self._row.get(column, ()), np.float64).reshape(-1, n or 1)
        if len(values) < parts and n:  # an older row does not know what was spent
            values = np.concatenate([values, np.zeros((parts - len(values), n))])
        return values if n else values.reshape(parts, 0)

    @cached_property
    def recent(self) -> dict[str, tuple[float, float]]:
        return dict(self._entries("recent_values"))

    @cached_property
    def bought(self) -> dict[str, tuple[float, float, float, float]]:
        return dict(self._entries("bought_values"))

    @cached_property
    def categories(self) -> dict[str, float]:
        return {name: weight for name, (weight,) in self._entries("category_weights")}

    @cached_property
    def brands(self) -> dict[str, float]:
        return {name: weight for name, (weight,) in self._entries("brand_weights")}

    @cached_property
    def queries(self) -> dict[str, float]:
        return {query: at_s for query, (at_s,) in self._entries("query_times")}

    @cached_property
    def hidden(self) -> Marks:
        marks = self._entries("unwanted_values")
        return {name: (at_s, float(mark == _HIDDEN)) for name, (at_s, mark) in marks if mark <= 0}

    @cached_property
    def shown(self) -> Marks:
        return {name: mark for name, mark in self._entries("unwanted_values") if mark[1] > 0}

    @cached_property
    def hidden_kinds(self) -> Marks:
        marks = self._entries("unwanted_kind_values")
        return {name: (at_s, float(mark == _HIDDEN)) for name, (at_s, mark) in marks}

    @cached_property
    def given(self) -> Shares:
        return dict(self._entries("given_values"))

    def _entries(self, column: str) -> Iterator[tuple[str, Any]]:
        numbers = zip(*self.numbers(column).tolist(), strict=True)
        return zip(self.names(_NUMBERED[column][0]), numbers, strict=True)


AnyState = BehaviorState | StateRow  # to read from
