"""Ingest: event log -> fold -> online store. Run it as `python -m features.ingest --settings FILE`.

At least once, and idempotent: a state and the log position that it has seen are one row, so a
batch that is read again after a crash changes nothing. The offset is committed after the rows are
on disk.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby

from features.behavior.aggregator import uncollected
from features.catalog.store import Catalog
from features.catalog.table import ItemTable
from features.controls.choices import Choices
from features.controls.shops import DEFAULT_SHOP
from features.events.event import OF_ANSWERS, BehaviorEvent, EventType
from features.events.held import HeldEvents
from features.events.lease import UNSHARED, Lease
from features.events.log import Erasure, EventLog, LogEntry
from features.events.outcomes import Outcomes
from features.ingest.accepting import accept
from features.ingest.keeping.erase import Eraser
from features.ingest.keeping.reset import Past
from features.ingest.keeping.snapshots import Snapshots
from features.ingest.settings import IngestSettings
from features.ingest.status import CONSUMER, IngestStatus, read_status
from features.ingest.waiting import Waiting
from features.ingest.working_set import WorkingSet
from features.store.offline import OfflineStore
from features.store.online import OnlineFeatures
from features.telemetry.ingest_metrics import (
    CAPPED,
    EVENT_LAG_SECONDS,
    EVENTS_WAITING,
    FLUSH_SECONDS,
    INGEST_FAILURES,
)
from features.telemetry.spans import trace_written

_log = logging.getLogger(__name__)


class Ingest:
    """The loop over one log. Only one may write to a store: the holder of `lease`.

    Raises LeaseLostError from wherever it would write without it.
    """

    def __init__(
        self,
        log: EventLog,
        held: HeldEvents,
        online: OnlineFeatures,
        catalog: Catalog,
        offline: OfflineStore,
        eraser: Eraser,
        settings: IngestSettings,
        clock: Callable[[], float] = time.time,
        lease: Lease = UNSHARED,
        shop: str = DEFAULT_SHOP,
        choices: Choices | None = None,
    ) -> None:
        """choices: of whom nothing may be learnt; None: everybody's events are folded."""
        self.settings, self.lease, self._shop = settings, lease, shop
        self._log, self._catalog, self._offline = log, catalog, offline
        self._eraser, self._clock = eraser, clock
        self._online, self._choices = online, choices
        self._items = ItemTable(prices=settings.store.prices)
        self._catalog_change = 0
        self._follow_catalog()
        self._working = WorkingSet(online, self._items, settings.max_users, settings.max_sessions)
        self._waiting = Waiting(log, held, settings.max_held, settings.hold_s, clock, shop)
        self._outcomes = Outcomes(log, shop)
        before = read_status(log)
        unclean = before is not None and before.to_compact
        self._status = IngestStatus(to_compact=unclean).keeping(settings)
        for metric in (EVENTS_WAITING, EVENT_LAG_SECONDS, INGEST_FAILURES):
            metric.labels(shop)  # there from the start: an increase needs a series before
        self.position = log.offset(CONSUMER)  # of the newest entry that was taken in
        self._begun = False  # what is cached is what was written
        self._snapshots = Snapshots(offline, self._working)
        self._maintained_s = clock()

    def warm_up(self) -> None:
        """Read as a fold does, so that the first event does not wait for what is loaded then."""
        try:
            self._online.read_users(["nobody"])
            self._online.read_items(self._items.item_ids[:1])
        except Exception:
            _log.exception("the online store does not answer yet")

    def begin_again(self) -> None:
        """What is cached may not be what was written: the next step reads it anew."""
        self._begun = False

    def failed(self) -> None:
        """Count a step that raised, and begin again."""
        INGEST_FAILURES.labels(self._shop).inc()
        self._status = replace(self._status, failures_total=self._status.failures_total + 1)
        self.begin_again()

    def step(self, timeout_s: float = 0.0) -> int:
        """Take in one batch if there is one within `timeout_s`; returns how many entries."""
        self.lease.check()
        if not self._begun:
            self._offline.conform()
            self.position = self._log.offset(CONSUMER)
            self._working.clear()
            self._waiting.reload()
            self._begun = True
        if self._follow_catalog():
            self._waiting.look_again()
        self._waiting.release(self._items.row_of, self.position)
        entries: list[tuple[int, LogEntry]] = []
        if self._log.wait(self.position, timeout_s):
            entries = self._log.read(self.position, self.settings.batch_events)
        waiting = self._log.last_seq() - self.position if entries else 0
        EVENTS_WAITING.labels(self._shop).set(waiting)
        for erasures, run in groupby(entries, key=lambda entry: isinstance(entry[1], Erasure)):
            (self._erase if erasures else self._fold)(list(run))
        EVENTS_WAITING.labels(self._shop).set(max(waiting - len(entries), 0))
        self._outcomes.settle(self._clock())
        if self._snapshots.due(self._behind()):
            self._save_snapshots()
        if self._clock() - self._maintained_s >= self.settings.maintain_every_s:
            self.maintain()
        return len(entries)

    def drain(self) -> int:
        """Take in everything that is in the log now; returns how many entries."""
        total = 0
        while taken := self.step():
            total += taken
        return total

    def status(self) -> IngestStatus:
        """As published with the last commit."""
        return self._status

    def maintain(self) -> None:
        """Write snapshots to the offline store, apply retention, compact after erasures."""
        self._maintained_s = now_s = self._clock()
        while self._snapshots:
            self._save_snapshots()
        before_s = now_s - self.settings.retention_s
        while self._log.prune(before_s):
            pass
        self._waiting.expire()
        self._offline.prune(now_s - self.settings.snapshot_retention_s)
        self._online.prune(now_s)
        if self._status.to_compact:
            done = [self._log.compact(), self._online.compact()]
            done += [self._choices.compact()] if self._choices is not None else []
            self._status = replace(self._status, to_compact=not all(done))

    def _fold(self, entries: list[tuple[int, LogEntry]]) -> None:
        with uncollected():
            self._fold_batch(entries)

    def _fold_batch(self, entries: list[tuple[int, LogEntry]]) -> None:
        started_s, started_ns = time.perf_counter(), time.time_ns()
        events = [
            (seq, entry)
            for seq, entry in entries
            if isinstance(entry, BehaviorEvent) and entry.type not in OF_ANSWERS
        ]
        newest_s = self._log.logged_s(entries[-1][0]) or self._clock()
        accepted, self._status = accept(
            events, newest_s, self._clock(), self._items.row_of, self._status, self._shop,
            self._choices and self._choices.fresh(),
        )  # fmt: skip
        self.lease.check()
        self._waiting.hold(accepted, self._items.row_of)
        self._working.load([event for _, event in accepted])
        capped = 0
        for seq, event in accepted:
            capped += self._working.apply(event, seq, seq not in self._waiting)
        CAPPED.inc(capped)
        changed = self._working.flush()
        self._snapshots.changed({e.user_id for _, e in accepted if e.user_id}, changed)
        now_s = self._clock()
        logged_s = self._log.logged_s(entries[0][0])
        self._status = replace(
            self._status,
            lag_s=now_s - logged_s if logged_s is not None else 0.0,
            flush_ms=(time.perf_counter() - started_s) * 1e3,
        )
        FLUSH_SECONDS.observe(time.perf_counter() - started_s)
        if logged_s is not None:
            EVENT_LAG_SECONDS.labels(self._shop).observe(max(now_s - logged_s, 0.0))
        trace_written([event.traceparent for _, event in events], started_ns)
        self._commit(entries[-1][0], changed)
        self._outcomes.take([event for _, event in accepted if _has_outcome(event)], now_s)

    def _erase(self, entries: list[tuple[int, LogEntry]]) -> None:
        for seq, entry in entries:
            self.lease.check()
            changed: list[str] = []
            if isinstance(entry, Erasure) and entry.user_id and entry.since_s is not None:
                self._reset(entry.user_id, entry, entry.since_s, seq)
            elif isinstance(entry, Erasure) and entry.user_id is not None:
                self._snapshots.forget(entry.user_id)
                changed = self._working.forget(entry.user_id, entry.session_ids, seq)
                self._snapshots.changed((), changed)
                self._eraser.erase(entry.user_id, entry.session_ids, named=entry.named)
                if self._choices is not None:
                    asked_s = self._log.logged_s(seq) or self._clock()
                    self._choices.forget(entry.user_id, *entry.session_ids, until_s=asked_s)
                self._log.finish_erasure(seq)
                total = self._status.erasures_total + 1
                self._status = replace(self._status, erasures_total=total, to_compact=True)
            self._commit(seq, changed)

    def _reset(self, user_id: str, entry: Erasure, since_s: float, seq: int) -> None:
        """Forget what was done since then, and nothing from before."""
        past = Past(self._log, self._offline, self._items.facts, user_id, since_s, seq)
        self._working.put_back(user_id, entry.session_ids, seq, past.of)
        self._eraser.erase(user_id, entry.session_ids, since_s, entry.named)
        self._snapshots.changed({user_id}, ())
        self._log.finish_erasure(seq)
        self._status = replace(self._status, to_compact=True)

    def _commit(self, seq: int, changed: list[str]) -> None:
        self._status = replace(self._status, applied_seq=seq, updated_s=self._clock())
        self._log.commit(CONSUMER, seq, changed, self._status.to_json())
        self.position = seq

    def _follow_catalog(self) -> bool:
        changes = self._catalog.changed_since(self._catalog_change)
        if changes.change == self._catalog_change:
            return False
        self._items.upsert(changes.upserts)
        for item_id in changes.deletions:
            self._items.remove(item_id)
        self._catalog_change = changes.change
        return True

    def _behind(self) -> bool:
        return self._log.last_seq() > self.position

    def _save_snapshots(self) -> None:
        self.lease.check()
        self._snapshots.save(self._clock())


def _has_outcome(event: BehaviorEvent) -> bool:
    return event.held_seq is None and event.type is not EventType.SIGN_IN
