"""Keys that change while we serve: the key file is read again when it is another one.

A mounted Kubernetes Secret changes by a symlink above the file, an editor by a rename or in place;
device, inode, size and time of what the path leads to tell all three.
"""

import logging
import os
import threading
from pathlib import Path

from pydantic import ValidationError

from serving.http.access.auth import Keyring, read_keys, what_is_wrong
from serving.telemetry.metrics import KEY_RELOADS

_LOG = logging.getLogger("vitrine.keys")


def watched_keys(path: Path, interval_s: float = 1.0) -> Keyring:
    """The keys of `path`, followed by a thread of its own; raises as `read_keys` does."""
    watch = KeyFile(path)
    threading.Thread(target=watch.follow, args=(interval_s,), name="keys", daemon=True).start()
    return watch.keys


class KeyFile:
    """A key file and the keyring that follows it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = _identity(path)  # before reading: a change in between is found next time
        self.keys = Keyring(read_keys(path))
        self._stop = threading.Event()

    def look(self) -> None:
        """Take the file over if it changed; one that cannot be used leaves the keys as they are."""
        identity = _identity(self._path)
        if identity == self._seen:
            return
        self._seen = identity
        try:
            keys = read_keys(self._path)
        except (OSError, ValidationError) as error:
            _LOG.warning("the key file changed and cannot be used: %s", what_is_wrong(error))
            KEY_RELOADS.labels(outcome="refused").inc()
            return
        self.keys.replace(keys)
        _LOG.info("the key file changed and was taken over: %d keys", len(keys))
        KEY_RELOADS.labels(outcome="taken").inc()

    def follow(self, interval_s: float) -> None:
        """Look every `interval_s` until `stop`."""
        while not self._stop.wait(interval_s):
            self.look()

    def stop(self) -> None:
        """End `follow`."""
        self._stop.set()


def _identity(path: Path) -> tuple[int, ...] | None:
    """Which file the path leads to and how it stands; None: to none."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
