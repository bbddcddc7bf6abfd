"""What the log holds of one shopper, in its order, a page at a time.

The whole log is walked: a copy is asked for seldom, and may take a month by law. Events of sessions
from before the sign-in are the shopper's, as in an erasure.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from features.events.event import BehaviorEvent
from features.events.log import LogEntry, RankingRecord

_WALKED = 1_000  # entries read at once


class ReadLog(Protocol):
    """The event log, as far as an export reads it."""

    def read(self, after_seq: int, limit: int) -> list[tuple[int, LogEntry]]:
        """Up to `limit` entries behind `after_seq`."""
        ...

    def read_rankings(self, after_seq: int, limit: int) -> list[tuple[int, RankingRecord]]:
        """Up to `limit` rankings behind `after_seq`."""
        ...


def sessions_of(log: ReadLog, user_id: str) -> frozenset[str]:
    """The user's sessions; a shared one is its first user's, as in the fold. Blocks."""
    owners: dict[str, str] = {}
    for page in _events(log, 0):
        for _, event in page:
            if event.user_id and event.session_id:
                owners.setdefault(event.session_id, event.user_id)
    for ranked in _rankings(log, 0):
        for _, ranking in ranked:
            if ranking.user_id == user_id and ranking.session_id:
                owners.setdefault(ranking.session_id, user_id)
    return frozenset(session for session, owner in owners.items() if owner == user_id)


def events_of(
    log: ReadLog, user_id: str, sessions: frozenset[str], after_seq: int
) -> Iterator[list[tuple[int, BehaviorEvent]]]:
    """Pages of the shopper's events behind a position; a page may be empty. Blocks."""
    for page in _events(log, after_seq):
        yield [each for each in page if _is_of(each[1], user_id, sessions)]


def rankings_of(
    log: ReadLog, user_id: str, sessions: frozenset[str], after_seq: int
) -> Iterator[list[tuple[int, RankingRecord]]]:
    """Pages of the rankings that the shopper was answered. Blocks."""
    for page in _rankings(log, after_seq):
        yield [each for each in page if _is_of(each[1], user_id, sessions)]


def _is_of(told: BehaviorEvent | RankingRecord, user_id: str, sessions: frozenset[str]) -> bool:
    return told.user_id == user_id or (told.user_id is None and told.session_id in sessions)


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
