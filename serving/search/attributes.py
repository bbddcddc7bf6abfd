"""Items by attribute: which rows have "colour: red"."""

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from features.arrays import RowArray
from features.catalog.table import ItemTable
from features.catalog.words import folded


class AttributeIndex:
    """Rows by folded name and value. One thread writes, others read."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], set[int]] = defaultdict(set)
        self._pairs_of_row: dict[int, tuple[tuple[str, str], ...]] = {}

    def update(self, rows: RowArray, table: ItemTable) -> None:
        """Take over new, changed and removed items."""
        for row in rows.tolist():
            for pair in self._pairs_of_row.pop(row, ()):
                self._rows[pair].discard(row)
            attributes = table.items[row].attributes
            if attributes and not table.removed[row]:
                pairs = tuple((folded(name), folded(value)) for name, value in attributes.items())
                self._pairs_of_row[row] = pairs
                for pair in pairs:
                    self._rows[pair].add(row)

    @property
    def n_pairs(self) -> int:
        """How many names with a value were ever met: another figure, other pairs."""
        return len(self._rows)

    def pairs(self) -> list[tuple[str, str]]:
        """The folded names and values that were ever met."""
        return list(self._rows)

    def having(self, rows: RowArray, name: str, value: str) -> npt.NDArray[np.bool_]:
        """Which of `rows` have the attribute, (n,)."""
        # A copy: the writing thread may add to it.
        having = list(self._rows.get((folded(name), folded(value)), ()))
        return np.isin(rows, np.array(having, np.int64))
