"""Numbered versions of one thing, as documents that replicas share, and which one is in use."""

from collections.abc import Mapping
from typing import Any

from features.controls.store import Documents

_IN_USE = "in_use"  # the key of what says so


class UnknownVersionError(Exception):
    """No such version is kept; the message names those that are."""


class KeptVersions:
    """Versions in `documents`. Raises StoreFullError, and what a store raises that is away.

    kind: of the versions' documents, by number; state: the kind of the small document that says
    which one is in use; none: what stands for no version; at_most: versions, to roll back to
    """

    def __init__(
        self, documents: Documents, kind: str, state: str, none: str, at_most: int
    ) -> None:
        self._documents = documents
        self._kind, self._state_kind = kind, state
        self.none, self._at_most = none, at_most

    def in_use(self) -> str:
        """The version that is, `none` without one; a small read."""
        return str(self._state().get("version", self.none))

    def all(self) -> dict[str, dict[str, Any]]:
        """Documents of the versions that are kept, oldest first."""
        found = self._documents.all(self._kind)
        return {version: found[version] for version in sorted(found, key=int)}

    def publish(self, document: Mapping[str, Any]) -> str:
        """Keep a document as the next version, take it into use, drop the oldest; its number.

        What was in use before is not dropped: it can be returned to.
        """
        kept, before = [*self.all()], self.in_use()
        version = str(max(map(int, kept), default=0) + 1)
        self._documents.put(self._kind, version, {**document, "version": version})
        self.use(version)
        spare = [old for old in kept if old != before]
        for old in spare[: max(len(kept) + 1 - self._at_most, 0)]:
            self._documents.delete(self._kind, old)
        return version

    def use(self, version: str) -> None:
        """Take a version into use that is kept, or `none`. Raises UnknownVersionError."""
        kept = [*self.all(), self.none]
        if version not in kept:
            raise UnknownVersionError(f"version {version} is not kept; {', '.join(kept)} are")
        before = self.in_use()
        self._documents.put(self._state_kind, _IN_USE, {"version": version, "before": before})

    def roll_back(self) -> str:
        """Return to the version that was in use before this one; which that is.

        Raises UnknownVersionError.
        """
        before = str(self._state().get("before", self.none))
        self.use(before)
        return before

    def _state(self) -> dict[str, Any]:
        return self._documents.all(self._state_kind).get(_IN_USE, {})
