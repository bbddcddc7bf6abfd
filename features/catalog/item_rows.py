"""Counters of items as columns of feature rows and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from features.arrays import BoolArray, DoubleArray, FloatArray, LongArray, RowArray
from features.catalog.counters import COUNTS_SHAPE, ItemCounters

# The kind of each column, by its name in features.behavior.column_kinds.
ITEM_COLUMNS: dict[str, str] = {
    # (counter, half-life), COUNTS_SHAPE flattened
    "counts": "float32 list",
    "first_s": "float64",
    "last_s": "float64",
    "applied_seq": "int64",
}


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
