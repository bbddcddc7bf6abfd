"""A thread that does one piece of work again and again, until it is told to stop."""

import logging
import threading
from collections.abc import Callable

_JOINED_S = 5.0


class Background:
    """Work in a thread of its own.

    What raises is told in `log` as `failed`, and done again: a store that is down for a while must
    not end the work for good.

    every_s: from the end of one turn to the next; first_s: until the first, 0: at once
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        every_s: float,
        log: logging.Logger,
        failed: str,
        first_s: float = 0.0,
    ) -> None:
        self._work, self._every_s, self._first_s = work, every_s, first_s
        self._log, self._failed = log, failed
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop: long work looks here between its parts."""
        return self._stop.is_set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Have the next turn now."""
        self._wake.set()

    def stop(self) -> None:
        """End, when the turn that is under way has ended; again, and without a start, no error."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_JOINED_S)

    def _run(self) -> None:
        self._rest(self._first_s)
        while not self._stop.is_set():
            try:
                self._work()
            except Exception:
                self._log.exception("%s; trying again", self._failed)
            self._rest(self._every_s)

    def _rest(self, for_s: float) -> None:
        # Cleared before the look at `_stop`: a stop that comes in between is not slept over.
        self._wake.wait(for_s)
        self._wake.clear()
