"""Who asked for a shopper's data, when, and for what kind: entries that are only ever added.

An entry names the key and never the shopper or the content. Entries lie by day, so that a day is
read, and forgotten, as a whole.
"""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from features.controls.store import Documents
from serving.shops.waiting_room import WaitingRoom

_DAYS = "audit"  # which days there are
_DAY = "audit:"  # the kind of a day's entries
KEPT_DAYS = 400


class Access(StrEnum):
    """What was done with a shopper's data."""

    FEATURES = "features_read"
    PREFERENCES_READ = "preferences_read"
    PREFERENCES_CHANGED = "preferences_changed"
    EXPORT = "exported"
    ERASURE = "erased"


class Audit:
    """Of one shop. An access that cannot be noted is not given."""

    def __init__(
        self, documents: Documents, clock: Callable[[], float] = time.time, max_waiting: int = 64
    ) -> None:
        self._documents, self._clock = documents, clock
        self._today = ""
        self._room = WaitingRoom("audit", 2, max_waiting)

    async def note(self, key: str, access: Access) -> None:
        """Add an entry; durable when it returns. key: the name of the API key.

        Raises LogFullError, StoreAwayError, OverloadedError, as `of`.
        """
        await self._room.do(lambda: self._note(key, access))

    async def of(self, day: date) -> list[dict[str, Any]]:
        """The entries of a day (UTC) in their order: `at`, `key`, `access`."""
        found = await self._room.do(lambda: self._documents.all(_DAY + day.isoformat()))
        return [found[name] for name in sorted(found)]

    def _note(self, key: str, access: Access) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        day = now.date().isoformat()
        name = f"{now.isoformat(timespec='microseconds')} {uuid.uuid4().hex[:8]}"
        entry = {"at": now.isoformat(), "key": key, "access": access.value}
        self._documents.put(_DAY + day, name, entry)
        if day != self._today:  # for this process: once a day
            self._documents.put(_DAYS, day, {})
            self._forget((now.date() - timedelta(days=KEPT_DAYS)).isoformat())
            self._today = day

    def _forget(self, before: str) -> None:
        for day in [each for each in self._documents.all(_DAYS) if each < before]:
            for name in self._documents.all(_DAY + day):
                self._documents.delete(_DAY + day, name)
            self._documents.delete(_DAYS, day)

    def close(self) -> None:
        """Take no more."""
        self._room.close()
