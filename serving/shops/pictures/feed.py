"""Keeps a replica's index of pictures behind what workers have found."""

import logging
import threading
from typing import Protocol

from features.pictures.pictures import vectors_of
from features.pictures.store import Row, RowChanges
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
        self._interval_s = interval_s
        self._change = 0
        self._early: dict[str, Row] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="pictures", daemon=True)

    def start(self) -> None:
        """Begin; pictures count as soon as they are there."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def follow(self) -> None:
        """Take over what changed since the last time."""
        while not self._stop.is_set():
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

    def _repeat(self) -> None:
        while True:
            try:
                self.follow()
            except Exception:
                # A store that is down for a while must not end the following for good.
                _LOG.exception("pictures are not taken over; trying again")
            if self._stop.wait(self._interval_s):
                return
