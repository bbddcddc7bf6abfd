"""Keeps a replica's index of pictures behind what workers have found."""

import logging
from typing import Protocol

from features.controls.versions import KeptVersions
from features.pictures.pictures import text_of, vectors_of
from features.pictures.store import PictureState, Row, RowChanges
from serving.background import Background
from serving.models.contract import PICTURE_ENCODER, PICTURE_VECTOR_SIZE
from serving.search.pictures.joint import JointSpace
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
    """A thread that takes vectors over into the index, and the joint space in use. What belongs to
    an item that this replica does not know yet waits for it.

    profile: of the text encoder; a space that was learnt for another one is not used; reads: also
    what is written on the pictures
    """

    def __init__(
        self,
        changes: PictureChanges,
        spaces: KeptVersions,
        items: ItemCache,
        retrieval: Retrieval,
        profile: str,
        interval_s: float,
        reads: bool = False,
    ) -> None:
        self._reads = reads
        self._spaces = spaces
        self._profile = profile
        self._version = spaces.none
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
        self._follow_space()
        while not self._thread.stopping:
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
        if version != self._spaces.none:
            try:
                space = JointSpace.of(self._spaces.all()[version])
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

    def _take(self, changed: list[Row]) -> None:
        newest = {row.item_id: row for row in changed}
        at = self._items.table.rows(list(newest))
        known = [row for row, place in zip(newest.values(), at.tolist(), strict=True) if place >= 0]
        self._early = {
            row.item_id: row
            for row, place in zip(newest.values(), at.tolist(), strict=True)
            if place < 0 and row.state is not PictureState.GONE  # of items that may never come
        }
        if not known:
            return
        rows = at[at >= 0]
        if self._retrieval.pictures is not None:
            vectors = vectors_of(known, PICTURE_ENCODER, PICTURE_VECTOR_SIZE)
            self._retrieval.pictures.update(rows, vectors)
        if self._reads:
            texts = [text_of(row) for row in known]
            self._retrieval.matcher.take_written(rows, texts, self._items.table)
