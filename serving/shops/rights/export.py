"""What the log holds of one shopper, in its order, a page at a time.

The whole log is walked: a copy is asked for seldom, and may take a month by law. What a session did
as a guest is the shopper's unless it may be another's, who used the same session: a copy must tell
nothing of others.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from features.events.event import BehaviorEvent
from features.events.log import LogEntry, RankingRecord
from features.events.sharing import Sharing, named_by

_WALKED = 1_000  # entries read at once


class ReadLog(Protocol):
    """The event log, as far as an export reads it."""

    def read(self, after_seq: int, limit: int) -> list[tuple[int, LogEntry]]:
        """Up to `limit` entries behind `after_seq`."""
        ...

    def read_rankings(self, after_seq: int, limit: int) -> list[tuple[int, RankingRecord]]:
        """Up to `limit` rankings behind `after_seq`."""
        ...


def sharing_of(log: ReadLog, user_id: str) -> Sharing:
    """Whom the user's sessions named. Blocks."""
    return named_by(lambda: _told(log), user_id)


def events_of(
    log: ReadLog, user_id: str, sharing: Sharing, after_seq: int
) -> Iterator[list[tuple[int, BehaviorEvent]]]:
    """Pages of the shopper's events behind a position; a page may be empty. Blocks."""
    for page in _events(log, after_seq):
        yield [each for each in page if _is_of(each[1], user_id, sharing)]


def rankings_of(
    log: ReadLog, user_id: str, sharing: Sharing, after_seq: int
) -> Iterator[list[tuple[int, RankingRecord]]]:
    """Pages of the rankings that the shopper was answered. Blocks."""
    for page in _rankings(log, after_seq):
        yield [each for each in page if _is_of(each[1], user_id, sharing)]


def _is_of(told: BehaviorEvent | RankingRecord, user_id: str, sharing: Sharing) -> bool:
    if told.user_id is not None or told.session_id is None:
        return told.user_id == user_id
    return sharing.surely(told.session_id, told.at_s)


def _told(log: ReadLog) -> Iterator[BehaviorEvent | RankingRecord]:
    for page in _events(log, 0):
        yield from (event for _, event in page)
    for ranked in _rankings(log, 0):
        yield from (ranking for _, ranking in ranked)


def _events(log: ReadLog, seq: int) -> Iterator[Sequence[tuple[int, BehaviorEvent]]]:
    while entries := log.read(seq, _WALKED):
        seq = entries[-1][0]
        # What completes an event that waited for its item says nothing new.
        yield [
            (at, entry) for at, entry in entries
            if isinstance(entry, BehaviorEvent) and entry.held_seq is None
        ]  # fmt: skip


def _rankings(log: ReadLog, seq: int) -> Iterator[Sequence[tuple[int, RankingRecord]]]:
    while found := log.read_rankings(seq, _WALKED):
        seq = found[-1][0]
        yield found
