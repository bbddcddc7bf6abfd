"""Neighbour tables on disk: written by the feature job, read by every replica."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features.behavior.neighbors import NeighborTables
from features.catalog.table import ItemTable


def write_neighbors(path: Path, item_ids: Sequence[str], tables: NeighborTables) -> None:
    """Write the tables with the ids of their rows; readers see the old file or the new one."""
    part = path.with_suffix(".part.npz")
    np.savez(
        part,
        item_ids=np.array(item_ids, np.str_),
        neighbors=tables.neighbors,
        neighbor_weights=tables.neighbor_weights.astype(np.float16),
        companions=tables.basket_neighbors,
        companion_weights=tables.basket_neighbor_weights.astype(np.float16),
        taken=tables.interaction_counts,
    )
    part.replace(path)


class NeighborFile:
    """The file that the feature job replaces; absent until the job ran for the first time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_ns = 0

    def take(self, items: ItemTable) -> bool:
        """Give `items` the tables when the file changed since the last time; whether it did."""
        try:
            changed_ns = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return False
        if changed_ns == self._read_ns:
            return False
        read_neighbors(self._path, items)
        self._read_ns = changed_ns
        return True


def read_neighbors(path: Path, items: ItemTable) -> None:
    """Give `items` the tables in `path`, whatever the order of its rows."""
    with np.load(path) as stored:
        rows = items.rows(stored["item_ids"].tolist())
        tables = []
        for name in ("neighbors", "companions"):  # the keys of the file, older than the names here
            index, weights = stored[name], stored[name.removesuffix("s") + "_weights"]
            known = rows >= 0
            moved = np.where(index >= 0, rows[index], -1).astype(np.int32)
            table = np.full((len(items), index.shape[1]), -1, np.int32)
            weight = np.zeros(table.shape, np.float32)
            table[rows[known]] = moved[known]
            weight[rows[known]] = np.where(moved[known] >= 0, weights[known], 0)
            tables += [table, weight]
        counts = np.zeros(len(items), np.float32)
        counts[rows[known]] = stored["taken"][known]
    neighbors, weights, basket_neighbors, basket_weights = tables
    items.set_neighbors(neighbors, weights, basket_neighbors, basket_weights, counts)
