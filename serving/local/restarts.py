"""When a process of the local stack that has ended is started again."""

import time

_STEADY_S = 60.0  # a process that ran this long is restarted at once
_MAX_RESTART_WAIT_S = 20.0


class Restarts:
    """When one process is started again: at once when it ran long, else later and later."""

    def __init__(self) -> None:
        self.due_s: float | None = None
        self._started_s = time.monotonic()
        self._quick = 0  # ends in a row that came soon after a start

    def plan(self) -> float:
        """The process has ended; seconds until it should be started again."""
        now_s = time.monotonic()
        self._quick = 0 if now_s - self._started_s > _STEADY_S else self._quick + 1
        wait_s = min(2.0**self._quick - 1, _MAX_RESTART_WAIT_S)
        self.due_s = now_s + wait_s
        return wait_s

    def done(self) -> None:
        """It is being started."""
        self.due_s = None
        self._started_s = time.monotonic()
