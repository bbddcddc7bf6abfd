"""What happens to the picture of an item, over rows that several processes write.

A worker takes what is due (`claim`), looks at it, and tells what came of it (`done`, `failed`).
What it took is due again when it does not come back in time, so a crash loses nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from features.pictures.store import (
    UPLOADED,
    Change,
    PictureState,
    Reading,
    Row,
    RowChanges,
    Rows,
)

CLAIMED_S = 120.0  # that a worker may take over one picture, with all that it does meanwhile
READ_CLAIMED_S = 600.0  # the same to read one: pictures of all shops are read one after another
_CHUNK = 1_000

Edit = Callable[[Row | None], Change | None]


class Pictures:
    """The pictures of a shop. Safe to be used by many; each change is of one row, and whole."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def get(self, item_id: str) -> Row | None:
        """The picture of an item; None when it has none."""
        row = self._rows.get([item_id]).get(item_id)
        return None if row is None or row.state is PictureState.GONE else row

    def put(self, item_id: str, canvas: bytes, now_s: float) -> None:
        """Take the bytes of a picture; they count before the item's URL. Raises StoreFullError."""
        row = Row(item_id, UPLOADED, PictureState.WAITING, due_s=now_s)
        self._edit({item_id: lambda was: Change(was, row, canvas)})

    def take_back(self, item_id: str, url: str, now_s: float) -> None:
        """Forget the bytes that came; what stands at `url` counts again, "" = nothing."""

        def edit(was: Row | None) -> Change | None:
            if was is None or was.origin != UPLOADED or was.state is PictureState.GONE:
                return None
            return Change(was, _told(item_id, url, now_s))

        self._edit({item_id: edit})

    def expect(self, urls: Mapping[str, str], now_s: float) -> None:
        """The items' URLs, "" = none. One that stands there already is not looked at again, and
        neither is any while an item has bytes of its own."""

        def edit(item_id: str, url: str) -> Edit:
            def of_one(was: Row | None) -> Change | None:
                if was is None or was.state is PictureState.GONE:
                    return Change(was, _told(item_id, url, now_s)) if url else None
                if was.origin in (url, UPLOADED):
                    return None
                return Change(was, _told(item_id, url, now_s))

            return of_one

        self._edit({item_id: edit(item_id, url) for item_id, url in urls.items()})

    def drop(self, item_ids: Sequence[str]) -> None:
        """The items are gone, and their pictures with them."""

        def edit(was: Row | None) -> Change | None:
            return (
                Change(was, _gone(was.item_id))
                if was and was.state is not PictureState.GONE
                else None
            )

        self._edit(dict.fromkeys(item_ids, edit))

    def renew(self, encoder: str, now_s: float) -> int:
        """Have what another encoder looked at looked at again; returns how many."""
        return self._again(PictureState.READY, lambda row: row.encoder != encoder, now_s)

    def reconsider(self, problem: str, now_s: float) -> int:
        """Have what has failed for this reason tried again; returns how many."""
        return self._again(PictureState.FAILED, lambda row: row.problem == problem, now_s)

    def _again(self, state: PictureState, which: Callable[[Row], bool], now_s: float) -> int:
        changed: set[str] = set()

        def edit(was: Row | None) -> Change | None:
            if was is None or was.state is not state or not which(was):
                return None
            changed.add(was.item_id)
            return Change(was, replace(was, state=PictureState.WAITING, tries=0, due_s=now_s))

        self._edit(dict.fromkeys(self._rows.ids(state), edit))
        return len(changed)

    def claim(self, now_s: float, limit: int) -> list[Row]:
        """At most `limit` pictures that are due, for the caller alone until CLAIMED_S are over."""
        due = self._rows.due(now_s, limit)
        taken = [replace(row, tries=row.tries + 1, due_s=now_s + CLAIMED_S) for row in due]
        return self._taken(due, taken)

    def _taken(self, due: list[Row], taken: list[Row]) -> list[Row]:
        done = self._rows.replace(list(map(Change, due, taken)))
        pairs = zip(taken, done, strict=True)
        return [replace(row, revision=row.revision + 1) for row, ours in pairs if ours]

    def canvas(self, item_id: str) -> bytes | None:
        """The uploaded picture."""
        return self._rows.canvas(item_id)

    def done(self, row: Row, vector: npt.NDArray[np.float16], encoder: str) -> bool:
        """What was looked at has this vector; False when the picture is another one by now."""
        ready = replace(
            row, state=PictureState.READY, problem="", encoder=encoder, vector=vector.tobytes()
        )
        return self._rows.replace([Change(row, ready)])[0]

    def failed(self, row: Row, problem: str, due_s: float | None) -> bool:
        """It could not be looked at; due_s: when it is tried again, None: not any more."""
        state = PictureState.FAILED if due_s is None else PictureState.WAITING
        again = replace(row, state=state, problem=problem, due_s=due_s or 0.0, vector=b"")
        return self._rows.replace([Change(row, again)])[0]

    def expect_reading(self, item_ids: Sequence[str], reader: str, now_s: float) -> None:
        """Have these pictures read, unless `reader` has.

        Of what was uploaded little is kept once it is read: nobody reads that anew.
        """

        def edit(was: Row | None) -> Change | None:
            if was is None or was.state is not PictureState.READY or was.reading.due_s:
                return None
            if was.reading.by == reader or (was.reading.by and was.origin == UPLOADED):
                return None
            return Change(was, replace(was, reading=replace(was.reading, tries=0, due_s=now_s)))

        self._edit(dict.fromkeys(item_ids, edit))

    def claim_readings(self, now_s: float, limit: int) -> list[Row]:
        """At most `limit` pictures that may be read, for the caller alone until READ_CLAIMED_S are
        over; what was read in them before stays until then."""
        due = self._rows.due_readings(now_s, limit)
        taken = [_again(row, row.reading.tries + 1, now_s + READ_CLAIMED_S) for row in due]
        return self._taken(due, taken)

    def read(self, row: Row, reading: Reading, canvas: bytes | None = None) -> bool:
        """What came of reading a picture; False when it is another one by now.

        canvas: to be kept in the place of what was uploaded
        """
        return self._rows.replace([Change(row, replace(row, reading=reading), canvas)])[0]

    def texts(self, item_ids: Sequence[str]) -> dict[str, str]:
        """What is written on the pictures of those items where anything is."""
        found = {item_id: text_of(row) for item_id, row in self._rows.get(item_ids).items()}
        return {item_id: text for item_id, text in found.items() if text}

    def n_unread(self) -> int:
        """How many pictures wait to be read."""
        return self._rows.n_unread()

    def changed_since(self, change: int, limit: int) -> RowChanges:
        """Rows written behind `change`, for who follows; see Rows."""
        return self._rows.changed_since(change, limit)

    def counts(self) -> Mapping[PictureState, int]:
        """How many pictures are in each state."""
        return self._rows.counts()

    def close(self) -> None:
        """Give back files and connections."""
        self._rows.close()

    def _edit(self, edits: Mapping[str, Edit]) -> None:
        waiting = dict(edits)
        while waiting:
            part = list(waiting)[:_CHUNK]
            found = self._rows.get(part)
            changes = [waiting[item_id](found.get(item_id)) for item_id in part]
            wanted = [change for change in changes if change is not None]
            late = {
                change.row.item_id
                for change, done in zip(wanted, self._rows.replace(wanted), strict=True)
                if not done
            }
            for item_id in part:
                if item_id not in late:
                    del waiting[item_id]


def _told(item_id: str, url: str, now_s: float) -> Row:
    return Row(item_id, url, PictureState.WAITING, due_s=now_s) if url else _gone(item_id)


def _gone(item_id: str) -> Row:
    return Row(item_id, "", PictureState.GONE)


def _again(row: Row, tries: int, due_s: float) -> Row:
    return replace(row, reading=replace(row.reading, tries=tries, due_s=due_s))


def text_of(row: Row) -> str:
    """What is written on the picture, as far as it was read; "" = nothing."""
    return "" if row.state is PictureState.GONE else row.reading.text


def vectors_of(rows: Sequence[Row], encoder: str, size: int) -> npt.NDArray[np.float32]:
    """float32 (n, size) by `encoder`; zeros of what has no vector, or another encoder's."""
    out = np.zeros((len(rows), size), np.float32)
    for place, row in zip(out, rows, strict=True):
        if row.state is PictureState.READY and row.encoder == encoder:
            place[:] = np.frombuffer(row.vector, np.float16)
    return out
