"""The durable rows of pictures, as a contract: one an item, replaced whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

UPLOADED = "uploaded"  # the origin of a picture whose bytes came by API; others have a URL


class PictureState(StrEnum):
    """What became of a picture."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"  # for good: until it is told anew
    GONE = "gone"  # the item has none any more; the row stays, for the replicas


@dataclass(frozen=True, slots=True)
class Reading:
    """What is written on a picture, where somebody reads that.

    by: who has read it, or given it up, "" = nobody; text: "" = nothing is written there; problem,
    tries: as of Row; due_s: unix seconds from which it may be read, 0 = it waits for nobody
    """

    by: str = ""
    text: str = ""
    problem: str = ""
    tries: int = 0
    due_s: float = 0.0


NOT_READ = Reading()


@dataclass(frozen=True, slots=True)
class Row:
    """The picture of one item.

    revision: of this row, 0 before it is written; problem: a code of PROBLEMS, "" = none; tries:
    since it was told; due_s: unix seconds from which it may be tried, while it waits; encoder:
    whose vector it is; vector: float16, as bytes, empty unless it is ready; reading: of this very
    picture, another one has another row
    """

    item_id: str
    origin: str
    state: PictureState
    revision: int = 0
    problem: str = ""
    tries: int = 0
    due_s: float = 0.0
    encoder: str = ""
    vector: bytes = b""
    reading: Reading = NOT_READ


class Change(NamedTuple):
    """A new row in the place of `was`, None: of none. canvas: the bytes of an uploaded picture,
    None: those that are there; they go with the origin."""

    was: Row | None
    row: Row
    canvas: bytes | None = None


class RowChanges(NamedTuple):
    """What happened behind a change number; ask again with `change` to go on from there."""

    change: int
    rows: list[Row]


class Rows(Protocol):
    """Rows by item, with a log of changes that replicas follow."""

    def get(self, item_ids: Sequence[str]) -> dict[str, Row]:
        """The rows of those that have one."""
        ...

    def replace(self, changes: Sequence[Change]) -> list[bool]:
        """Write each row whose `was` still stands there; whether it did. Durable when it returns.

        The items differ. Raises StoreFullError.
        """
        ...

    def canvas(self, item_id: str) -> bytes | None:
        """What was uploaded; None when nothing is there."""
        ...

    def due(self, now_s: float, limit: int) -> list[Row]:
        """Waiting rows that may be tried, longest due first."""
        ...

    def due_readings(self, now_s: float, limit: int) -> list[Row]:
        """Rows that may be read (`read_due_s`), longest due first."""
        ...

    def n_unread(self) -> int:
        """How many rows wait to be read."""
        ...

    def ids(self, state: PictureState) -> list[str]:
        """The items whose picture is in this state."""
        ...

    def changed_since(self, change: int, limit: int) -> RowChanges:
        """Rows written behind `change`, each in its newest form, oldest change first: of about
        `limit`, never a part of what has one number."""
        ...

    def counts(self) -> Mapping[PictureState, int]:
        """How many rows are in each state."""
        ...

    def close(self) -> None:
        """Give back files and connections."""
        ...


def read_due_s(row: Row) -> float:
    """From when on the picture may be read, 0 = it waits for nobody: what cannot be had is not."""
    return row.reading.due_s if row.state is PictureState.READY else 0.0


def keeps_canvas(row: Row) -> bool:
    """Whether uploaded bytes belong to the row."""
    return row.origin == UPLOADED and row.state is not PictureState.GONE
