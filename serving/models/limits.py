"""What the version in use reads of a request, asked of the model server now and then."""

import logging
import threading
from collections.abc import Callable

from serving.errors import RankingError
from serving.models.contract import Limits

_LOG = logging.getLogger("vitrine.limits")
_EVERY_S = 10.0


class PublishedLimits:
    """The newest known limits; the usual ones until the model server has answered.

    read: the limits of the version in use; blocks, raises a RankingError.
    """

    def __init__(self, read: Callable[[], Limits]) -> None:
        self.current = Limits()
        self._problem = ""
        self._read = read
        self._stop = threading.Event()

    def refresh(self) -> None:
        """Ask once; a model server that does not answer changes nothing."""
        try:
            limits = self._read()
        except RankingError as error:
            _LOG.debug("limits were not read: %s", error.code)
            return
        except Exception as error:
            # The thread goes on, whatever a version's configuration holds.
            if str(error) != self._problem:
                _LOG.warning("limits were not read: %s: %s", type(error).__name__, error)
            self._problem = str(error)
            return
        if limits != self.current:
            _LOG.info("the version in use reads %s", limits)
        self.current = limits

    def follow(self, interval_s: float = _EVERY_S) -> None:
        """Ask every `interval_s` on a thread of its own, until `stop`."""
        threading.Thread(target=self._run, args=(interval_s,), name="limits", daemon=True).start()

    def stop(self) -> None:
        """End `follow`."""
        self._stop.set()

    def _run(self, interval_s: float) -> None:
        self.refresh()
        while not self._stop.wait(interval_s):
            self.refresh()
