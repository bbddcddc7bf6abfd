"""The event log in JetStream: one message an event, a ranking, an erasure, a commit.

What `append` has returned survives the server's process; a power cut, too, with three servers, or
with `sync_interval: always` in the server's configuration.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence

import orjson

from features.events.codec import erasure_of, erasure_record, event_of, event_record
from features.events.event import BehaviorEvent
from features.events.lease import UNSHARED, Lease, LeaseLostError
from features.events.log import (
    ERASURE,
    AppendResult,
    ChangesMissedError,
    Erasure,
    ItemChanges,
    LogEntry,
    RankingRecord,
    RankingRoute,
    routes_of,
    wait_for,
)
from features.events.nats.batches import Known, Settled, put_all
from features.events.nats.layout import ANY, STREAMS, Kind
from features.events.nats.oldest import drop_oldest, first_since
from features.events.nats.progress import Progress, last_progress, progress_of
from features.events.nats.settings import NatsSettings
from features.events.nats.streams import Entry, NatsStreams, Stored, TakenError
from features.events.ranking_codec import pack, unpack
from features.events.sharing import Sharing


class NatsEventLog:
    """`EventLog` in the streams of `settings`. Only the holder of `lease` commits."""

    def __init__(
        self,
        settings: NatsSettings,
        clock: Callable[[], float] = time.time,
        lease: Lease = UNSHARED,
    ) -> None:
        self._streams = NatsStreams(settings)
        self._clock, self._lease = clock, lease
        self._committed: dict[str, int] = {}  # the message that a consumer's next one follows

    def append(self, events: Sequence[BehaviorEvent]) -> AppendResult:
        first: dict[str, BehaviorEvent] = {}
        for event in events:
            first.setdefault(event.event_id, event)
        entries = [_event_entry(event) for event in first.values()]
        accepted = self._put("event", entries, _without)
        return AppendResult(accepted, len(events) - accepted)

    def read(self, after_seq: int, limit: int) -> list[tuple[int, LogEntry]]:
        found = self._streams.after("events", after_seq, limit)
        return [(stored.seq, _entry(stored)) for stored in found]

    def last_seq(self) -> int:
        return self._streams.state("events").last_seq

    def logged_s(self, seq: int) -> float | None:
        stored = self._streams.one("events", seq)
        return None if stored is None else stored.logged_s

    def wait(self, after_seq: int, timeout_s: float) -> bool:
        return wait_for(lambda: any(self._streams.after("events", after_seq, 1)), timeout_s)

    def offset(self, consumer: str) -> int:
        progress = last_progress(self._streams, consumer)
        self._committed[consumer] = progress.seq
        return progress.offset

    def commit(
        self,
        consumer: str,
        seq: int,
        changed_item_ids: Sequence[str] = (),
        status: bytes | None = None,
    ) -> None:
        token = self._lease.token
        if token and self._streams.holder() != token:
            raise LeaseLostError
        if status is None or consumer not in self._committed:
            last = last_progress(self._streams, consumer)
            status = last.status if status is None else status
            self._committed.setdefault(consumer, last.seq)
        told = Progress(0, seq, changed_item_ids, status).content()
        subject = self._streams.layout.subject("progress", consumer)
        # Who got the lease after the look above has read the offset: that it has not moved since
        # then is what the server compares.
        expected = self._committed.pop(consumer) if token else None
        try:
            committed = self._streams.put_one(subject, told, self._clock(), expected)
        except TakenError:
            raise LeaseLostError from None
        self._committed[consumer] = committed

    def changed_items_since(self, change: int, limit: int = 10_000) -> ItemChanges:
        if 0 < change < self._streams.state("progress").first_seq - 1:
            raise ChangesMissedError
        items: dict[str, None] = {}
        for stored in self._streams.after("progress", change, limit):
            change = stored.seq
            for item_id in progress_of(stored).items:
                items.pop(item_id, None)  # told where it changed last
                items[item_id] = None
            if len(items) >= limit:
                break
        return ItemChanges(change, list(items))

    def status(self, consumer: str) -> bytes | None:
        return last_progress(self._streams, consumer).status

    def erase_user(self, user_id: str, since_s: float | None = None) -> int:
        from_s = 0.0 if since_s is None else since_s
        sessions = {
            session_id
            for kind in STREAMS
            for stored in self._of(kind, user_id)
            if (session_id := _session_of(kind, stored, from_s))
        }
        found: list[tuple[Kind, Stored, str]] = [
            (kind, stored, session_id)
            for kind in STREAMS for session_id in sessions
            for stored in self._of(kind, ANY, session_id)
        ]  # fmt: skip
        sharing = Sharing(
            (session_id, _at_s(kind, stored), user == user_id)
            for kind, stored, session_id in found if (user := _user_of(kind, stored)) is not None
        )  # fmt: skip
        # First: who asks again when there was no room must find the sessions still there.
        erasure = Erasure(user_id, tuple(sorted(sessions)), since_s, sharing.told())
        erasure_seq = self._append_erasure(erasure)
        # Then guests of both: who asks again after a break must find whose they were.
        guests = [
            (kind, stored) for kind, stored, session_id in found
            if _user_of(kind, stored) is None and sharing.may_be(session_id, _at_s(kind, stored))
        ]  # fmt: skip
        own = ((kind, stored) for kind in STREAMS for stored in self._of(kind, user_id))
        for gone in (guests, own):
            seqs: dict[Kind, list[int]] = {kind: [] for kind in STREAMS}
            for kind, stored in gone:
                if _at_s(kind, stored) >= from_s and (
                    kind == "ranking" or stored.seq < erasure_seq
                ):
                    seqs[kind].append(stored.seq)
            for kind, stream in STREAMS.items():
                self._streams.erase(stream, seqs[kind])
        return erasure_seq

    def finish_erasure(self, seq: int) -> None:
        # A message cannot be changed: it goes, and its position stays empty.
        stored = self._streams.one("events", seq)
        if stored is not None and isinstance(_entry(stored), Erasure):
            self._streams.erase("events", [seq])

    def append_rankings(self, rankings: Sequence[RankingRecord]) -> None:
        last = {ranking.ranking_id: ranking for ranking in rankings}
        packed = [
            Entry(ranking_id, ranking.user_id, ranking.session_id, pack(ranking))
            for ranking_id, ranking in last.items()
        ]
        self._put("ranking", packed, self._replaced)

    def read_rankings(self, after_seq: int, limit: int) -> list[tuple[int, RankingRecord]]:
        found = self._streams.after("rankings", after_seq, limit)
        return [(stored.seq, unpack(stored.content)) for stored in found]

    def routes(self, ranking_ids: Sequence[str]) -> dict[str, RankingRoute]:
        subjects = [self._streams.layout.subject("ranking", name, ANY, ANY) for name in ranking_ids]
        found = self._streams.last("rankings", subjects)
        return routes_of(unpack(stored.content) for stored in found)

    def prune(self, before_s: float, limit: int = 10_000) -> int:
        kinds: tuple[Kind, ...] = ("event", "ranking")
        return sum(
            drop_oldest(self._streams, kind, first_since(self._streams, kind, before_s), limit)
            for kind in kinds
        )

    def compact(self) -> bool:
        return True  # what is erased is written over at once

    def close(self) -> None:
        self._streams.close()

    def _of(self, kind: Kind, user_id: str | None, session_id: str = ANY) -> Iterator[Stored]:
        subject = self._streams.layout.subject(kind, ANY, user_id, session_id)
        return self._streams.after(STREAMS[kind], 0, None, subject)

    def _put(self, kind: Kind, entries: list[Entry], settled: Settled) -> int:
        return put_all(self._streams, kind, entries, self._clock, settled)

    def _replaced(self, entries: list[Entry], known: Known) -> list[Entry]:
        self._streams.erase("rankings", known.values())
        return entries

    def _append_erasure(self, erasure: Erasure) -> int:
        subject = self._streams.layout.subject("erasure", str(uuid.uuid4()))
        return self._streams.put_one(subject, orjson.dumps(erasure_record(erasure)), self._clock())


def _without(entries: list[Entry], known: Known) -> list[Entry]:
    return [entry for entry in entries if entry.entry_id not in known]


def _event_entry(event: BehaviorEvent) -> Entry:
    content = orjson.dumps(event_record(event))
    return Entry(event.event_id, event.user_id, event.session_id, content)


def _at_s(kind: Kind, stored: Stored) -> float:
    if kind == "ranking":
        return unpack(stored.content).at_s
    at_s: float = orjson.loads(stored.content)["at_s"]
    return at_s


def _user_of(kind: Kind, stored: Stored) -> str | None:
    if kind == "ranking":
        return unpack(stored.content).user_id
    user_id: str | None = orjson.loads(stored.content)["user_id"]
    return user_id


def _session_of(kind: Kind, stored: Stored, from_s: float) -> str | None:
    """Of what was done from then on."""
    if _at_s(kind, stored) < from_s:
        return None
    if kind == "ranking":
        return unpack(stored.content).session_id
    session_id: str | None = orjson.loads(stored.content)["session_id"]
    return session_id


def _entry(stored: Stored) -> LogEntry:
    values = orjson.loads(stored.content)
    if values["type"] == ERASURE:
        return erasure_of(values)
    return event_of(values)
