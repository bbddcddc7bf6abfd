"""Keeps the log within its bounds: what it has too much of goes every few seconds."""

import logging
import threading

from features.controls.shops import DEFAULT_SHOP
from features.events.lease import UNSHARED, Lease, LeaseLostError
from features.events.space import LogSpace, Space
from features.telemetry.ingest_metrics import (
    LOG_BYTES,
    LOG_MAX_BYTES,
    LOG_TRIMMED,
    STORE_BYTES,
    STORE_MAX_BYTES,
)

_AT_ONCE = 20  # trims in one round, of 500 entries each: some 70 MB of rankings
_log = logging.getLogger(__name__)


class Trimmer:
    """A thread of its own: a fold that fails, as on a full Redis, or takes long must not hold up
    what makes room for it. It trims while its ingest leads: only one may.
    """

    def __init__(
        self,
        space: LogSpace,
        every_s: float,
        lease: Lease = UNSHARED,
        shop: str = DEFAULT_SHOP,
    ) -> None:
        self._space, self._every_s, self._lease, self._shop = space, every_s, lease, shop
        for kind in ("ranking", "event"):
            LOG_TRIMMED.labels(
                shop, kind
            )  # there from the start: an increase needs a series before
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trim", daemon=True)

    def __enter__(self) -> "Trimmer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)
        self._space.close()

    def trim(self) -> None:
        """One round: bounded work, whatever the excess."""
        space = self._tell()
        for _ in range(_AT_ONCE):
            if space.excess <= 0 or self._stop.is_set():
                return
            trimmed = self._space.trim(space.excess)
            if not any(trimmed):
                return
            LOG_TRIMMED.labels(self._shop, "ranking").inc(trimmed.rankings)
            LOG_TRIMMED.labels(self._shop, "event").inc(trimmed.events)
            space = self._tell()

    def _tell(self) -> Space:
        space = self._space.measure()
        LOG_BYTES.labels(self._shop).set(space.log)
        if self._shop != DEFAULT_SHOP:
            return space  # the store is the installation's
        STORE_BYTES.set(space.store)
        LOG_MAX_BYTES.set(space.log_max or 0)
        STORE_MAX_BYTES.set(space.store_max or 0)
        return space

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self._lease.check()
                self.trim()
            except LeaseLostError:
                continue  # it stands by
            except Exception:
                _log.exception("the log was not trimmed; trying again")
