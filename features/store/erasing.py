"""Which rows of a table are an erased shopper's: the shopper's own, and those as a guest."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.events.sharing import Sharing


class Keys(NamedTuple):
    """Whose the rows of a table are.

    users, sessions: text a row; null or "": none; times: when the rows at some places were, unix
    seconds
    """

    users: pa.ChunkedArray
    sessions: pa.ChunkedArray
    times: Callable[[pa.Array], Iterable[float]]

    def of(self, session_ids: Collection[str]) -> Iterator[tuple[int, str | None, str, float]]:
        """Place, user, session and time of what the sessions did."""
        places = pc.indices_nonzero(_is_in(self.sessions, session_ids))
        if len(places):
            users, sessions = (each.take(places).to_pylist() for each in self[:2])
            yield from zip(places.to_pylist(), users, sessions, self.times(places), strict=True)


def sharing_in(tables: Iterable[Keys], user_id: str, session_ids: Collection[str]) -> Sharing:
    """Whom the sessions named."""
    rows = (row for keys in tables for row in keys.of(session_ids))
    return Sharing((session, at_s, user == user_id) for _, user, session, at_s in rows if user)


def to_erase(keys: Keys, user_id: str, session_ids: Collection[str], sharing: Sharing) -> pa.Array:
    """For each row whether it goes; what another shopper did in one of the sessions stays."""
    gone = _is_in(keys.users, [user_id]).to_numpy(zero_copy_only=False)
    places = [
        place
        for place, user, session, at_s in keys.of(session_ids)
        if not user and sharing.may_be(session, at_s)
    ]
    gone = gone.copy()
    gone[np.array(places, np.int64)] = True
    return pa.array(gone)


def _is_in(values: pa.ChunkedArray, wanted: Collection[str]) -> pa.Array:
    found = pc.is_in(values.cast(pa.string()), value_set=pa.array(sorted(wanted), pa.string()))
    return found.combine_chunks()
