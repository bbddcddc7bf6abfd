"""Which rows of a table are an erased shopper's: the shopper's own, and those as a guest."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.events.sharing import Named, Sharing


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


Gone = Callable[[Keys], pa.Array]  # for each row whether it goes


def in_turn(
    tables: Iterable[Keys], user_id: str, session_ids: Collection[str], named: Iterable[Named]
) -> tuple[Gone, Gone]:
    """What goes first in all tables that belong together, and then: guests, and the user's own.

    Read before anything goes. After a break the rows of the user that are left tell of no guest
    whom the first time did not take, so who asks again leaves the same. What another shopper did in
    one of the sessions stays.
    named: whom the sessions named by what is known elsewhere, as at the first time
    """
    rows = (row for keys in tables for row in keys.of(session_ids))
    told = [(session, at_s, user == user_id) for _, user, session, at_s in rows if user]
    sharing = Sharing([*named, *told])

    def guests(keys: Keys) -> pa.Array:
        gone = np.zeros(len(keys.users), np.bool_)
        for place, user, session, at_s in keys.of(session_ids):
            gone[place] = not user and sharing.may_be(session, at_s)
        return pa.array(gone)

    return guests, lambda keys: _is_in(keys.users, [user_id])


def _is_in(values: pa.ChunkedArray, wanted: Collection[str]) -> pa.Array:
    found = pc.is_in(values.cast(pa.string()), value_set=pa.array(sorted(wanted), pa.string()))
    return found.combine_chunks()
