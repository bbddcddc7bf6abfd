"""The ingests of all shops beside the default one: few threads take turns at them.

They write under the lease of the process. A shop that has nothing to do is looked at less and less
often, down to every IDLE_S; one that is flooded takes in a piece at a time, and then others do.
"""

import heapq
import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from typing import NamedTuple

from features.controls.priors import PRIORS
from features.controls.shops import SHOPS, Registered, ShopStatus, registered
from features.controls.store import Controls
from features.events.lease import Lease, LeaseLostError
from features.ingest.keeping.archiving import Archiver
from features.ingest.keeping.trim import Trimmer
from features.ingest.opened import opened
from features.ingest.settings import IngestSettings
from features.store.archive import Archive
from features.store.backends import open_event_log, open_log_space
from features.store.settings import StoreSettings
from features.store.shops import delete_store, shop_store
from features.telemetry.ingest_metrics import EVENTS_WAITING

IDLE_S = 0.4  # between two looks at a shop where nothing happens
GRACE_S = 10.0  # replicas let a removed shop go within a second
_FOLLOWED_S, _RETRY_S = 0.5, 1.0
_BATCH_EVENTS = 1_000  # of a shop at a time: others wait for so long
_log = logging.getLogger(__name__)


class _Due(NamedTuple):
    at_s: float  # by the monotonic clock
    number: int  # of two that are due at once
    member: "_Member"


class _Member:
    """One shop's ingest, with what keeps its log within bounds and archived."""

    def __init__(self, shop: str, settings: IngestSettings, lease: Lease) -> None:
        self.settings, self.store, self._lease, self._shop = settings, settings.store, lease, shop
        self._turn, self._keeping = threading.Lock(), threading.Lock()
        self._open = ExitStack()
        self.closed = False
        self._token: str | None = None
        self._idle_s = settings.flush_interval_s
        archive = Archive(self.store.archive) if self.store.archive else None
        self._ingest = self._open.enter_context(opened(settings, lease, archive, shop))
        space = open_log_space(self.store)
        self._open.callback(space.close)
        self._trimmer = Trimmer(space, settings.trim_every_s, lease, shop)
        self._archiver: Archiver | None = None
        if archive is not None:
            log = open_event_log(self.store)
            self._open.callback(log.close)
            self._archiver = Archiver(log, archive, settings, lease)

    def step(self) -> float:
        """Take in a piece; returns after how many seconds the next may be due."""
        with self._turn:
            if self.closed:
                return 0.0
            try:
                self._lead()
                taken = self._ingest.step()
            except LeaseLostError:
                self._token = None
                EVENTS_WAITING.labels(self._shop).set(0)  # the one that leads now counts them
                return _RETRY_S
            except Exception:
                _log.exception("ingest of %s failed; trying again", self._shop)
                self._ingest.failed()
                return _RETRY_S
            shortest = self.settings.flush_interval_s
            self._idle_s = shortest if taken else min(2 * self._idle_s, max(IDLE_S, shortest))
            return self._idle_s

    @property
    def ended(self) -> bool:
        """Closed, and with nothing under way."""
        return self.closed and not self._keeping.locked()

    def keep(self, archiving: bool) -> None:
        """Keep the log within its bounds; archiving: and take what was folded to the archive."""
        with self._keeping:
            if not self.closed:
                self._keep(archiving)

    def _keep(self, archiving: bool) -> None:
        try:
            self._lease.check()
            self._trimmer.trim()
            if archiving and self._archiver is not None:
                self._archiver.catch_up()
        except LeaseLostError:
            pass  # it stands by
        except Exception:
            if not self.closed:
                _log.exception("the log of %s was not kept within bounds", self._shop)

    def close(self) -> None:
        """After the step that is under way."""
        with self._turn:
            if not self.closed:
                self.closed = True
                if self._archiver is not None:
                    self._archiver.stop()
                EVENTS_WAITING.labels(self._shop).set(0)
                self._open.close()

    def _lead(self) -> None:
        """Begin again when another process may have led meanwhile."""
        token = self._lease.token
        if token != self._token:
            self._ingest.begin_again()
            self._token = token


class Fleet:
    """Follows the registered shops of an installation, and ends what was removed."""

    def __init__(
        self,
        settings: IngestSettings,
        controls: Controls,
        lease: Lease,
        n_threads: int = 2,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """settings: of the installation, whose shops are registered in `controls`."""
        self._settings, self._controls, self._lease = settings, controls, lease
        self._clock = clock
        self._members: dict[str, _Member] = {}
        self._ending: dict[str, _Member] = {}  # of removed shops
        self._due: list[_Due] = []
        self._waits = threading.Condition()  # around `_due`
        self._numbers = count()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (
                ("shops", self._follow_all),
                ("shops-keep", self._keep_all),
                *((f"shops-{number}", self._work) for number in range(n_threads)),
            )
        ]

    def __enter__(self) -> "Fleet":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with self._waits:
            self._waits.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=10)
        for member in self._members.values():
            member.close()
        self._controls.close()

    def follow(self) -> None:
        """Open what is new or has changed, close what is gone, delete what was removed."""
        shops = registered(self._controls)
        for name in [name for name in self._members if name not in shops]:
            self._members.pop(name).close()
        for name, shop in shops.items():
            if self._stop.is_set():
                return
            try:
                self._take(name, shop)
            except LeaseLostError:
                continue  # whoever leads deletes it
            except Exception:
                _log.exception("the shop %s is not followed; trying again", name)

    def _take(self, name: str, shop: Registered) -> None:
        member = self._members.get(name)
        if shop.status is ShopStatus.REMOVED:
            if member is not None:
                self._ending[name] = self._members.pop(name)
                member.close()
            ending = self._ending.get(name)  # a last piece may be on its way to its archive
            late = self._clock() >= shop.at_ms / 1e3 + GRACE_S
            if late and (ending is None or ending.ended):
                self._lease.check()
                self._ending.pop(name, None)
                delete_store(self._settings.store.of_shop(shop.space, self._settings.store.prices))
                self._controls.delete(PRIORS, shop.space)
                self._controls.delete(SHOPS, name)
                _log.warning("the shop %s is removed, with all that was kept of it", name)
            return
        store = shop_store(self._settings.store, shop)
        if member is not None and member.store == store:
            return
        if member is not None:
            self._members.pop(name).close()
        self._members[name] = opening = _Member(name, self._of(store), self._lease)
        self._again(opening, 0.0)

    def _of(self, store: StoreSettings) -> IngestSettings:
        batch = min(self._settings.batch_events, _BATCH_EVENTS)
        changed = {"store": store, "batch_events": batch, "dataset_folders": ()}
        return self._settings.model_copy(update=changed)

    def _again(self, member: _Member, wait_s: float) -> None:
        with self._waits:
            heapq.heappush(self._due, _Due(time.monotonic() + wait_s, next(self._numbers), member))
            self._waits.notify()

    def _next(self) -> _Member | None:
        """Whose turn it is, once it is; None when all end."""
        with self._waits:
            while not self._stop.is_set():
                left_s = self._due[0].at_s - time.monotonic() if self._due else None
                if left_s is not None and left_s <= 0:
                    return heapq.heappop(self._due).member
                self._waits.wait(left_s)
        return None

    def _work(self) -> None:
        while (member := self._next()) is not None:
            wait_s = member.step()
            if not member.closed:
                self._again(member, wait_s)

    def _follow_all(self) -> None:
        while not self._stop.is_set():
            try:
                self.follow()
            except Exception:
                _log.exception("the shops are not followed; trying again")
            self._stop.wait(_FOLLOWED_S)

    def _keep_all(self) -> None:
        archived_s = time.monotonic()
        while not self._stop.wait(self._settings.trim_every_s):
            archiving = time.monotonic() - archived_s >= self._settings.archive_every_s
            if archiving:
                archived_s = time.monotonic()
            for member in list(self._members.values()):
                member.keep(archiving)
