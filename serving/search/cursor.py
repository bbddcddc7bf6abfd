"""Where a reader of results is: what was shown, so that no later page repeats it.

The ranking may change between two pages, since the shopper goes on acting. So a cursor holds marks
of the items that were shown, four bytes each; a replica keeps nothing.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.catalog.item import content_key

MOST = 2_000  # items that a cursor may remember
_NO_MARKS: npt.NDArray[np.uint32] = np.zeros(0, np.uint32)


class CursorError(ValueError):
    """A text that is no cursor of ours."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """What was shown. marks: uint32 (n,), of item ids."""

    marks: npt.NDArray[np.uint32]

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """From the text of an earlier answer; raises CursorError."""
        if not text:
            return NOTHING_SHOWN
        try:
            raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (binascii.Error, UnicodeEncodeError):
            raise CursorError("not a cursor of an answer") from None
        if not raw or len(raw) % 4 or len(raw) > 4 * MOST:
            raise CursorError("not a cursor of an answer")
        return cls(np.frombuffer(raw, "<u4"))

    def __len__(self) -> int:
        return len(self.marks)

    def unseen(self, item_ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Which of the items were not shown yet, (n,)."""
        if not len(self.marks):
            return np.ones(len(item_ids), bool)
        return ~np.isin(_marks(item_ids), self.marks)

    def after(self, shown: Sequence[str]) -> str | None:
        """The text of the next cursor; None when it would remember more than MOST."""
        marks = np.concatenate([self.marks, _marks(shown)])
        if len(marks) > MOST:
            return None
        return base64.urlsafe_b64encode(marks.astype("<u4").tobytes()).rstrip(b"=").decode()


NOTHING_SHOWN = Cursor(_NO_MARKS)


def _marks(item_ids: Sequence[str]) -> npt.NDArray[np.uint32]:
    return np.array([content_key(item_id) & 0xFFFFFFFF for item_id in item_ids], np.uint32)
