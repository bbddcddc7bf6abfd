"""What versions read of a request, asked of the model server now and then."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from functools import partial

from serving.errors import RankingError
from serving.models.contract import Limits

_LOG = logging.getLogger("vitrine.limits")
_EVERY_S = 10.0
_LOOKED_S = 0.5  # for versions that are new


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


class CandidateLimits:
    """Of the versions beside the one in use, which come and go; the usual limits until the model
    server has told others.

    versions: which there are now; read: the limits of one: blocks, raises a RankingError.
    """

    def __init__(
        self, versions: Callable[[], Collection[str]], read: Callable[[str], Limits]
    ) -> None:
        self._versions = versions
        self._read = read
        self._known: dict[str, PublishedLimits] = {}  # replaced whole

    def of(self, version: str) -> Limits:
        """Of one of the versions."""
        known = self._known.get(version)
        return Limits() if known is None else known.current

    def look(self) -> None:
        """Ask for those that are new, and forget those that are gone."""
        known, versions = self._known, self._versions()
        new = [version for version in versions if version not in known]
        if new or len(versions) < len(known):
            made = {version: PublishedLimits(partial(self._read, version)) for version in new}
            for limits in made.values():
                limits.refresh()
            self._known = {version: (known | made)[version] for version in versions}

    def follow(self, interval_s: float = _EVERY_S) -> None:
        """Look all the time, and ask for all every `interval_s`, on a thread of its own."""
        threading.Thread(target=self._run, args=(interval_s,), name="limits", daemon=True).start()

    def _run(self, interval_s: float) -> None:
        asked_s = time.monotonic()
        while True:
            self.look()
            if time.monotonic() - asked_s >= interval_s:
                asked_s = time.monotonic()
                for limits in self._known.values():
                    limits.refresh()
            time.sleep(_LOOKED_S)
