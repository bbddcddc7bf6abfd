"""Keeps a replica's items up to date: catalogue, counters, neighbours, indexes, suggestions."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from features.arrays import RowArray
from features.behavior.neighbor_file import NeighborFile
from features.catalog.item_rows import ItemRows
from features.catalog.store import CatalogChanges
from features.controls.shops import DEFAULT_SHOP
from features.events.log import ChangesMissedError, ItemChanges
from serving.background import Background
from serving.errors import RankingError
from serving.search.retrieval import Retrieval
from serving.search.suggest.suggestions import Suggestions
from serving.shops.items import ItemCache
from serving.telemetry.metrics import CATALOG_ITEMS, REFRESHED_TIMESTAMP

_LOG = logging.getLogger("vitrine.refresh")
_CHUNK = 2_000  # items taken over at once: bounds memory, and how long others wait
_ENCODED = 256  # new texts encoded before new words are looked at again
_POPULARITY_EVERY_S = 10.0  # ordering the whole catalogue is not worth it each second


class CatalogFeed(Protocol):
    """Changes of the catalogue."""

    def changed_since(self, change: int) -> CatalogChanges:
        """Items added, replaced or deleted behind `change`."""
        ...


class CounterFeed(Protocol):
    """Which items' counters changed."""

    def changed_items_since(self, change: int, limit: int = 10_000) -> ItemChanges:
        """Items published behind `change`."""
        ...


class ItemReader(Protocol):
    """Item features of the online store."""

    def read_items(self, item_ids: Sequence[str]) -> ItemRows:
        """Counters by item; unknown ones are zero."""
        ...


class Refresher:
    """Two background threads. One follows the catalogue and the counters, so that a price, a stock
    or a removal counts within `interval_s`; the other brings the indexes behind it, and may take
    long over many new texts. `start` returns when the catalogue is complete for the first time.

    A store or an encoder that is down is asked again at the next interval for what it owes.
    """

    def __init__(
        self,
        catalog: CatalogFeed,
        changes: CounterFeed,
        reader: ItemReader,
        items: ItemCache,
        retrieval: Retrieval,
        suggestions: Suggestions,
        neighbors: NeighborFile,
        interval_s: float,
        clock: Callable[[], float] = time.time,
        shop: str = DEFAULT_SHOP,
    ) -> None:
        self._catalog = catalog
        self._changes = changes
        self._reader = reader
        self._items = items
        self._retrieval = retrieval
        self._suggestions = suggestions
        self._neighbors = neighbors
        self._clock = clock
        self._shop = shop
        self._catalog_change = 0
        self._counter_change: int | None = None
        self._uncounted: set[str] = set()  # items whose counters have yet to be read
        self._lock = threading.Lock()  # around `_unindexed`, which goes from thread to thread
        self._unindexed: RowArray = np.zeros(0, np.int64)
        self._unencoded: RowArray = np.zeros(0, np.int64)
        self._ordered_s = -np.inf
        self._threads = [
            Background(name, work, interval_s, _LOG, "refresh failed", first_s=interval_s)
            for name, work in (("refresh", self.follow), ("index", self.index))
        ]

    def start(self) -> None:
        """`load`, then follow; search has only words until vectors are there."""
        self.load()
        for thread in self._threads:
            thread.start()

    def load(self) -> None:
        """Load everything but vectors; only a catalogue or neighbour tables that cannot be read are
        an error.
        """
        self._take_catalog()
        self._neighbors.take(self._items.table)
        try:
            self._take_counters()
        except Exception:
            # Rankings start without what is popular rather than not at all.
            _LOG.exception("item features are missing; trying again")
        self._index_words()

    def stop(self) -> None:
        """End the threads."""
        for thread in self._threads:
            thread.stop()

    def follow(self) -> None:
        """Take over what changed since the last time, but for the indexes."""
        self._take_catalog()
        if self._neighbors.take(self._items.table):
            _LOG.info("new neighbour tables")
        self._take_counters()
        if self._shop == DEFAULT_SHOP:
            REFRESHED_TIMESTAMP.labels(part="ingress").set(self._clock())

    def index(self) -> None:
        """Bring the indexes up to date: words at once, then the vectors of all that is new.

        What cannot be encoded now is tried again next time.
        """
        self._index_words()
        while len(self._unencoded):
            if not self._index_vectors():
                return
            self._index_words()  # what came meanwhile is found by its words at once

    def index_piece(self) -> None:
        """The same, of at most some hundred new texts: for one of many shops."""
        self._index_words()
        if len(self._unencoded):
            self._index_vectors()

    def _index_vectors(self) -> bool:
        """The next piece; False: the encoder does not answer."""
        try:
            self._retrieval.update_vectors(self._unencoded[:_ENCODED])
        except RankingError as error:
            _LOG.warning("%d items wait for the encoder: %s", len(self._unencoded), error.code)
            return False
        self._unencoded = self._unencoded[_ENCODED:]
        return True

    def _index_words(self) -> None:
        with self._lock:
            rows, self._unindexed = self._unindexed, np.zeros(0, np.int64)
        try:
            while len(rows):
                self._retrieval.update_words(rows[:_CHUNK])
                self._suggestions.update(rows[:_CHUNK])
                self._unencoded = np.union1d(self._unencoded, rows[:_CHUNK])
                rows = rows[_CHUNK:]
        finally:
            if len(rows):
                with self._lock:
                    self._unindexed = np.union1d(self._unindexed, rows)
        now_s = self._clock()
        if now_s - self._ordered_s >= _POPULARITY_EVERY_S:
            self._retrieval.refresh_popularity(now_s)
            self._ordered_s = now_s
        self._suggestions.refresh(now_s)
        CATALOG_ITEMS.labels(self._shop).set(len(self._items.table))

    def _take_catalog(self) -> None:
        changes = self._catalog.changed_since(self._catalog_change)
        touched: list[RowArray] = []
        for start in range(0, len(changes.upserts), _CHUNK):
            items = changes.upserts[start : start + _CHUNK]
            # What is known of a new item may be older than its catalogue entry.
            known = self._items.table.row_of
            self._uncounted.update(item.item_id for item in items if item.item_id not in known)
            touched.append(self._items.upsert(items))
        for item_id in changes.deletions:
            if self._items.table.remove(item_id):
                touched.append(self._items.table.rows([item_id]))
        if touched:
            with self._lock:
                self._unindexed = np.unique(np.concatenate([self._unindexed, *touched]))
        self._catalog_change = changes.change

    def _take_counters(self) -> None:
        row_of = self._items.table.row_of
        if self._counter_change is None:
            # Everything written before this mark is in the full read that follows.
            self._counter_change = _last(self._changes)
        try:
            change, changed = self._changes.changed_items_since(self._counter_change)
        except ChangesMissedError:
            change, changed = _last(self._changes), list(row_of)
        self._uncounted.update(item_id for item_id in changed if item_id in row_of)
        self._counter_change = change
        waiting = list(self._uncounted)
        for start in range(0, len(waiting), _CHUNK):
            item_ids = waiting[start : start + _CHUNK]
            counted = self._reader.read_items(item_ids)
            rows = self._items.table.rows(item_ids)
            self._items.set_counters(rows, counted.counts, counted.at_s, counted.first_s)
            self._uncounted.difference_update(item_ids)
            self._suggestions.touch()


def _last(changes: CounterFeed) -> int:
    change = 0
    while True:
        changed = changes.changed_items_since(change)
        if changed.change == change:
            return change
        change = changed.change
