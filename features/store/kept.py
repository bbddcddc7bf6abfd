"""What the shop still has of its past: the archive, where there is one, and the log behind it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TypeVar

from features.events.event import BehaviorEvent
from features.events.log import EventLog, RankingRecord, every_event, every_ranking
from features.store.archive import Archive
from features.store.backends import open_event_log
from features.store.learnt import Learnt, everybody, learnt_from
from features.store.settings import StoreSettings

_Entry = TypeVar("_Entry")


class Kept:
    """Reads both, each entry once, in the order in which they came; holds none but marks of ids.

    What is of shoppers or sessions that may not be learnt from is left out.
    """

    def __init__(self, log: EventLog, archive: Archive | None, learnt: Learnt = everybody) -> None:
        self._log, self._archive, self._learnt = log, archive, learnt

    def events(self) -> Iterator[BehaviorEvent]:
        """Every event."""
        return (each for each in self._events() if self._learnt(each.user_id, each.session_id))

    def rankings(self) -> Iterator[RankingRecord]:
        """Every ranking: of the archive those of experiments and those left to chance, of the log
        all."""
        return (each for each in self._rankings() if self._learnt(each.user_id, each.session_id))

    def _events(self) -> Iterator[BehaviorEvent]:
        if self._archive is None:
            return every_event(self._log)
        both = chain(self._archive.each_event(), every_event(self._log))
        return _once((event.event_id, event) for event in both)

    def _rankings(self) -> Iterator[RankingRecord]:
        if self._archive is None:
            return every_ranking(self._log)
        both = chain(self._archive.each_ranking(), every_ranking(self._log))
        return _once((ranking.ranking_id, ranking) for ranking in both)


@contextmanager
def open_kept(store: StoreSettings) -> Iterator[Kept]:
    """The log and the archive of `store`."""
    log = open_event_log(store)
    try:
        archive = Archive(store.archive) if store.archive else None
        yield Kept(log, archive, learnt_from(store))
    finally:
        log.close()


def _once(named: Iterable[tuple[str, _Entry]]) -> Iterator[_Entry]:
    """Each name's first. 64 bits of a name, drawn anew in each process, are its mark: of ten
    million names, two have the same in one process of 370,000."""
    seen: set[int] = set()
    for name, entry in named:
        mark = hash(name)
        if mark not in seen:
            seen.add(mark)
            yield entry
