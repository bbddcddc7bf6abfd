"""The durable log between the ingress and ingest, as a contract; three modules fulfil it.

`features.events.sqlite_log` is the embedded one, `features.events.redis_log` the one of a cluster,
`features.events.nats` that of a cluster whose log is larger than its store's memory.
Entries have increasing positions (`seq`, from 1); a position is never used twice.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray
from features.events.event import BehaviorEvent
from features.events.exposure import Exposure
from features.events.sharing import Named

ERASURE = "erasure"  # the type that an erasure has where events are stored


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What became of a batch: `accepted + duplicates` is its length."""

    accepted: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """A shopper asked to be forgotten. `user_id` is None once the erasure was carried out.

    since_s: only what was done from then on is to be forgotten; None: everything
    named: whom the sessions named, as far as the log knew it: see `Sharing.told`
    """

    user_id: str | None
    session_ids: tuple[str, ...] = ()  # the shopper's sessions, as far as the log still knew them
    since_s: float | None = None
    named: tuple[Named, ...] = ()


LogEntry = BehaviorEvent | Erasure


class ChangesMissedError(Exception):
    """Some changes are not kept any more: all counters have to be read anew."""


class ItemChanges(NamedTuple):
    """Items whose counters changed; ask again with `change` to go on from there."""

    change: int
    item_ids: list[str]


DEFAULT_VARIANT = "default"
_POLL_S = 0.01
_WALKED = 1_000  # entries read at once


@dataclass(frozen=True, slots=True, eq=False)
class RankingRecord:
    """One answered request with what the ranker saw: a training row when joined with its events."""

    ranking_id: str
    at_s: float
    route: str
    item_ids: tuple[str, ...]  # in the order shown
    user_id: str | None = None
    session_id: str | None = None
    query: str | None = None
    model_version: str | None = None
    scores: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    # Of each place, given the places before: the product over the first k places is the probability
    # that a ranking begins so (docs/adr/0035).
    propensities: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    # (n_items, n_features), float16 or float32, kept as given; NaN = not known
    features: npt.NDArray[np.float16] | FloatArray = field(
        default_factory=lambda: np.zeros((0, 0), np.float16)
    )
    variant: str = DEFAULT_VARIANT  # that the request was assigned to: its exposures in one word
    exposures: tuple[Exposure, ...] = ()  # the arms of experiments that it belonged to
    # int8 (n_items,), of two interleaved orders whose pick: 0, 1, -1 = a rule's; None: one order
    teams: npt.NDArray[np.int8] | None = None
    arms: tuple[str, ...] = ()  # of the teams, the first is control
    model_s: float | None = None  # that the model server took; None: it has not answered
    placement: str | None = None  # of the rules, that it was asked for
    page_id: str | None = None  # of the composed page that it was a shelf of


class RankingRoute(NamedTuple):
    """How a ranking came about, for counting what became of it. arms: (experiment, arm) each."""

    route: str
    model_version: str | None
    arms: tuple[tuple[str, str], ...] = ()
    placement: str | None = None


def routes_of(rankings: Iterable[RankingRecord]) -> dict[str, RankingRoute]:
    """The routes of `rankings` by id."""
    return {
        ranking.ranking_id: RankingRoute(
            ranking.route,
            ranking.model_version,
            tuple((exposure.experiment, exposure.variant) for exposure in ranking.exposures),
            ranking.placement,
        )
        for ranking in rankings
    }


class EventLog(Protocol):
    """An append-only log of behaviour with its consumers' places, and the rankings beside it."""

    def append(self, events: Sequence[BehaviorEvent]) -> AppendResult:
        """Store events; durable when it returns. An event_id that is there already is skipped."""
        ...

    def read(self, after_seq: int, limit: int) -> list[tuple[int, LogEntry]]:
        """Up to `limit` entries behind `after_seq`, in order."""
        ...

    def last_seq(self) -> int:
        """The newest position ever given, 0 when none."""
        ...

    def logged_s(self, seq: int) -> float | None:
        """When the entry at `seq` was appended, unix seconds; None when it is gone."""
        ...

    def wait(self, after_seq: int, timeout_s: float) -> bool:
        """Block until there is an entry behind `after_seq`; False when the time is over."""
        ...

    def offset(self, consumer: str) -> int:
        """The last position that `consumer` committed, 0 at first."""
        ...

    def commit(
        self,
        consumer: str,
        seq: int,
        changed_item_ids: Sequence[str] = (),
        status: bytes | None = None,
    ) -> None:
        """Move `consumer` to `seq`, and publish changed items and a status, all or nothing.

        Raises LeaseLostError when the log was opened with a lease that is another's by now.
        """
        ...

    def changed_items_since(self, change: int, limit: int = 10_000) -> ItemChanges:
        """The items published behind `change`, each once, oldest first.

        Raises ChangesMissedError when a log that keeps the last of them only has them no more.
        """
        ...

    def status(self, consumer: str) -> bytes | None:
        """What `consumer` last published of itself."""
        ...

    def erase_user(self, user_id: str, since_s: float | None = None) -> int:
        """Delete the user's events and rankings, and append the erasure; returns its position.

        since_s: only those of this time and later, and only sessions that did something then
        """
        ...

    def finish_erasure(self, seq: int) -> None:
        """Forget whom the erasure at `seq` concerned: ingest calls it when it is carried out."""
        ...

    def append_rankings(self, rankings: Sequence[RankingRecord]) -> None:
        """Store answered rankings; a ranking_id that is there already is replaced."""
        ...

    def read_rankings(self, after_seq: int, limit: int) -> list[tuple[int, RankingRecord]]:
        """Up to `limit` rankings behind `after_seq` (their own count), in order."""
        ...

    def routes(self, ranking_ids: Sequence[str]) -> dict[str, RankingRoute]:
        """Of up to 1,000 rankings those that are known."""
        ...

    def prune(self, before_s: float, limit: int = 10_000) -> int:
        """Delete up to `limit` events and as many rankings that were appended before `before_s`.

        Events that a known consumer has not committed yet stay. Returns how many went; call again
        while that is positive.
        """
        ...

    def compact(self) -> bool:
        """Leave no byte of deleted entries in any file; False when a reader was in the way."""
        ...

    def close(self) -> None:
        """Give back files and connections."""
        ...


def every_event(log: EventLog) -> Iterator[BehaviorEvent]:
    """All that the log holds, in order; what completes an event that waited is none."""
    seq = 0
    while entries := log.read(seq, _WALKED):
        for _, entry in entries:
            if isinstance(entry, BehaviorEvent) and entry.held_seq is None:
                yield entry
        seq = entries[-1][0]


def every_ranking(log: EventLog) -> Iterator[RankingRecord]:
    """All that the log holds, in order."""
    seq = 0
    while entries := log.read_rankings(seq, _WALKED):
        yield from (ranking for _, ranking in entries)
        seq = entries[-1][0]


def wait_for(is_there: Callable[[], bool], timeout_s: float) -> bool:
    """Ask every 10 ms until it is there; False when the time is over."""
    deadline_s = time.monotonic() + timeout_s
    while not is_there():
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            return False
        time.sleep(min(_POLL_S, left_s))
    return True
