"""Keeps a replica's index of pictures behind what workers have found."""

import logging
import threading
from typing import Protocol

from features.pictures.pictures import vectors_of
from features.pictures.store import PictureState, Row, RowChanges
from serving.models.contract import PICTURE_ENCODER, PICTURE_VECTOR_SIZE
from serving.search.pictures.joint import JointSpace
from serving.search.retrieval import Retrieval
from serving.shops.items import ItemCache
from serving.shops.pictures.kept import NONE, KeptSpaces

_LOG = logging.getLogger("vitrine.pictures")
_CHUNK = 1_000


class PictureChanges(Protocol):
    """Changes of pictures; features.pictures.store.Rows are such."""

    def changed_since(self, change: int, limit: int) -> RowChanges:
        """Rows written behind `change`."""
        ...


class PictureFeed:
    """A thread that takes vectors over into the index, and the joint space in use. What belongs to
    an item that this replica does not know yet waits for it.

    profile: of the text encoder; a space that was learnt for another one is not used
    """

    def __init__(
        self,
        changes: PictureChanges,
        spaces: KeptSpaces,
        items: ItemCache,
        retrieval: Retrieval,
        profile: str,
        interval_s: float,
    ) -> None:
        self._spaces = spaces
        self._profile = profile
        self._version = NONE
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
        self._follow_space()
        while not self._stop.is_set():
            changed = self._changes.changed_since(self._change, _CHUNK)
            self._take([*self._early.values(), *changed.rows])
            if changed.change == self._change:
                return
            self._change = changed.change

    def _follow_space(self) -> None:
        version, index = self._spaces.in_use(), self._retrieval.pictures
        if version == self._version or index is None:
            return
        space = None
        if version != NONE:
            try:
                space = JointSpace.of(self._spaces.versions()[version])
                if space.profile != self._profile:
                    raise ValueError(f"learnt for the {space.profile} encoder")
            except (KeyError, TypeError, ValueError) as error:
                space = None
                _LOG.warning("joint space %s is not used: %s", version, error)
        index.take_joint(space)
        self._version = version

    @property
    def n_early(self) -> int:
        """How many pictures wait for their item."""
        return len(self._early)

    def _take(self, rows: list[Row]) -> None:
        newest = {row.item_id: row for row in rows}
        at = self._items.table.rows(list(newest))
        known = [row for row, place in zip(newest.values(), at.tolist(), strict=True) if place >= 0]
        self._early = {
            row.item_id: row
            for row, place in zip(newest.values(), at.tolist(), strict=True)
            if place < 0 and row.state is not PictureState.GONE  # of items that may never come
        }
        if known:
            vectors = vectors_of(known, PICTURE_ENCODER, PICTURE_VECTOR_SIZE)
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
