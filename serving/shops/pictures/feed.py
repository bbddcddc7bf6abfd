"""Keeps a replica's index of pictures behind what workers have found."""

import logging
from typing import Protocol

from features.pictures.pictures import vectors_of
from features.pictures.store import Row, RowChanges
from serving.background import Background
from serving.models.contract import PICTURE_VECTOR_SIZE
from serving.search.retrieval import Retrieval
from serving.shops.items import ItemCache

_LOG = logging.getLogger("vitrine.pictures")
_CHUNK = 1_000


class PictureChanges(Protocol):
    """Changes of pictures; features.pictures.store.Rows are such."""

    def changed_since(self, change: int, limit: int) -> RowChanges:
        """Rows written behind `change`."""
        ...


class PictureFeed:
    """A thread that takes vectors over into the index. What belongs to an item that this replica
    does not know yet waits for it."""

    def __init__(
        self, changes: PictureChanges, items: ItemCache, retrieval: Retrieval, interval_s: float
    ) -> None:
        self._changes = changes
        self._items = items
        self._retrieval = retrieval
        self._change = 0
        self._early: dict[str, Row] = {}
        self._thread = Background(
            "pictures", self.follow, interval_s, _LOG, "pictures are not taken over"
        )

    def start(self) -> None:
        """Begin; pictures count as soon as they are there."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._thread.stop()

    def follow(self) -> None:
        """Take over what changed since the last time."""
        while not self._thread.stopping:
            changed = self._changes.changed_since(self._change, _CHUNK)
            self._take([*self._early.values(), *changed.rows])
            if changed.change == self._change:
                return
            self._change = changed.change

    def _take(self, rows: list[Row]) -> None:
        newest = {row.item_id: row for row in rows}
        at = self._items.table.rows(list(newest))
        known = [row for row, place in zip(newest.values(), at.tolist(), strict=True) if place >= 0]
        self._early = {
            row.item_id: row
            for row, place in zip(newest.values(), at.tolist(), strict=True)
            if place < 0
        }
        if known:
            vectors = vectors_of(known, PICTURE_VECTOR_SIZE)
            self._retrieval.update_pictures(at[at >= 0], vectors)
