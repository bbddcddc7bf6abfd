"""What was folded goes to the archive, and what tells of experiments, before the log forgets it."""

import logging
import threading
import time
from collections.abc import Callable

from features.events.event import BehaviorEvent
from features.events.lease import UNSHARED, Lease, LeaseLostError
from features.events.log import EventLog
from features.ingest.settings import IngestSettings
from features.ingest.status import CONSUMER
from features.store.archive import Archive, Place

_ROWS, _RANKINGS = 20_000, 5_000  # entries taken at once: bounds memory
_log = logging.getLogger(__name__)


class Archiver:
    """A thread of its own that follows `log`: object storage that is slow or away holds no event
    up. It works while its ingest leads.
    """

    def __init__(
        self,
        log: EventLog,
        archive: Archive,
        settings: IngestSettings,
        lease: Lease = UNSHARED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._log, self._archive = log, archive
        self._every_s, self._keep_s = settings.archive_every_s, settings.archive_keep_s
        self._lease, self._clock = lease, clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)

    def __enter__(self) -> "Archiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=10)
        self._log.close()

    def stop(self) -> None:
        """End after the piece that is under way."""
        self._stop.set()

    def catch_up(self) -> None:
        """Archive all that was folded, and the rankings; drop what is too old."""
        place = self._archive.place()
        ours = place is not None and self._is_of_this_log(place)
        position, folded = place.seq if place and ours else 0, self._log.offset(CONSUMER)
        while position < folded and not self._stop.is_set():
            self._lease.check()
            position = self._piece(position, folded)
        ranked: int | None = self._archive.rankings_seq() if ours else 0
        while ranked is not None and not self._stop.is_set():
            self._lease.check()
            ranked = self._rankings_piece(ranked)
        self._archive.prune(self._clock() - self._keep_s)

    def _piece(self, position: int, folded: int) -> int:
        """The position that is archived then."""
        # Whoever is erased meanwhile is erased from what is written here, or was not read any more.
        with self._archive.lock:
            entries = [each for each in self._log.read(position, _ROWS) if each[0] <= folded]
            if not entries:
                return folded
            # One that was erased since it was read has no time any more.
            times = ((seq, self._log.logged_s(seq)) for seq, _ in reversed(entries))
            found = ((seq, logged_s) for seq, logged_s in times if logged_s is not None)
            last_seq, logged_s = next(found, (0, 0.0))
            kept = [
                entry
                for seq, entry in entries
                if seq <= last_seq and isinstance(entry, BehaviorEvent) and entry.held_seq is None
            ]
            if last_seq:
                self._archive.add(kept, Place(last_seq, logged_s))
        return entries[-1][0]

    def _rankings_piece(self, after_seq: int) -> int | None:
        """The position, of rankings, that is archived then; None when there is none behind."""
        with self._archive.lock:
            found = self._log.read_rankings(after_seq, _RANKINGS)
            if not found:
                return None
            last_seq = found[-1][0]
            rankings = [ranking for _, ranking in found]
            self._archive.add_rankings(rankings, last_seq, self._clock())
        return last_seq

    def _is_of_this_log(self, place: Place) -> bool:
        """Whether to go on behind it; the log of another engine is archived from its start."""
        if place.seq > self._log.last_seq():
            return False
        return self._log.logged_s(place.seq) in (None, place.logged_s)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self._lease.check()
                self.catch_up()
            except LeaseLostError:
                continue  # it stands by
            except Exception:
                _log.exception("events were not archived; trying again")
