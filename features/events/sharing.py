"""Whose a guest's entries are where several shoppers used one session: a shared device.

A session names a shopper when one signs in. What it does as a guest is told by time alone: it is of
whom the session named last before, or of whom it names next.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Protocol

Named = tuple[str, float, bool]  # see `Sharing.add`


class Told(Protocol):
    """An event or a ranking."""

    @property
    def user_id(self) -> str | None: ...
    @property
    def session_id(self) -> str | None: ...
    @property
    def at_s(self) -> float: ...


class Sharing:
    """When some sessions named one shopper, and when they named others. Times: unix seconds"""

    def __init__(self, named: Iterable[Named] = ()) -> None:
        """named: see `add`."""
        self._own: dict[str, list[float]] = {}
        self._others: dict[str, list[float]] = {}
        for each in named:
            self.add(*each)

    def add(self, session_id: str, at_s: float, own: bool) -> None:
        """The session named the shopper at this time, or, without `own`, another one."""
        insort((self._own if own else self._others).setdefault(session_id, []), at_s)

    def may_be(self, session_id: str, at_s: float) -> bool:
        """Whether a guest's entry may be the shopper's: for an erasure.

        Between two shoppers it may be of either. Of a session that named nobody else all may be,
        and of one of which no time is told at which it named the shopper, too: too much goes rather
        than too little. The fewer times of the shopper are told, the less is the shopper's, so an
        erasure that takes guests' entries first takes the same when it is repeated.
        """
        if session_id not in self._others or session_id not in self._own:
            return True
        before, after = self._around(session_id, at_s)
        return _nearer(before, first=False) or _nearer(after, first=True)

    def surely(self, session_id: str, at_s: float) -> bool:
        """Whether it is nobody else's by all that can be told: for a copy."""
        if session_id not in self._own:
            return False
        before, after = self._around(session_id, at_s)
        return all(
            other is None or (own is not None and own != other and (own < other) is first)
            for (own, other), first in ((before, False), (after, True))
        )

    def told(self) -> tuple[Named, ...]:
        """As much as tells the same of any entry, by session and time.

        Of times between which nobody else was named, the first and the last.
        """
        named: list[Named] = []
        for session_id in sorted({*self._own, *self._others}):
            whom: dict[float, set[bool]] = {}
            for own, times in ((True, self._own), (False, self._others)):
                for at_s in times.get(session_id, []):
                    whom.setdefault(at_s, set()).add(own)
            for both, run in groupby(sorted(whom), key=whom.__getitem__):
                first, *more = run
                ends = [first, *more[-1:]]
                named += [(session_id, at_s, own) for at_s in ends for own in sorted(both)]
        return tuple(named)

    def _around(self, session_id: str, at_s: float) -> tuple["_Pair", "_Pair"]:
        """The shopper's time and the others' next before the entry, and next behind it."""
        both = (self._own.get(session_id, []), self._others.get(session_id, []))
        before = [times[place - 1] if (place := bisect_right(times, at_s)) else None
                  for times in both]  # fmt: skip
        after = [times[place] if (place := bisect_left(times, at_s)) < len(times) else None
                 for times in both]  # fmt: skip
        return (before[0], before[1]), (after[0], after[1])


_Pair = tuple[float | None, float | None]  # of the shopper, of others


def _nearer(pair: _Pair, first: bool) -> bool:
    own, other = pair
    if own is None or other is None:
        return own is not None
    return own <= other if first else own >= other


def named_by(told: Callable[[], Iterable[Told]], user_id: str) -> Sharing:
    """Whom the user's sessions named.

    told: all that may name somebody, from the start at each call: read twice, as all sessions of a
    shop would be too much to remember
    """
    own = {each.session_id for each in told() if each.user_id == user_id and each.session_id}
    return Sharing(
        (each.session_id, each.at_s, each.user_id == user_id)
        for each in told()
        if each.user_id and each.session_id in own
    )
