"""Where a shop's joint spaces of words and pictures are kept: documents that its replicas share."""

from collections.abc import Mapping
from typing import Any

from features.controls.store import Documents

_SPACES = "joint_spaces"  # by version
_STATE = "joint_space_state"
_IN_USE = "in_use"
NONE = "none"  # the version of a shop whose words find no pictures
SPACES_KEPT = 3  # versions, to roll back to


class UnknownSpaceError(Exception):
    """No such version is kept; the message names those that are."""


class KeptSpaces:
    """The spaces in `documents`. Raises StoreFullError, and what a store raises that is away."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def in_use(self) -> str:
        """The version that searches use, NONE without one; a small read."""
        return str(self._state().get("version", NONE))

    def versions(self) -> dict[str, dict[str, Any]]:
        """Documents of the versions that are kept, oldest first."""
        found = self._documents.all(_SPACES)
        return {version: found[version] for version in sorted(found, key=int)}

    def publish(self, space: Mapping[str, Any]) -> str:
        """Keep a document as the next version, and take it into use; the oldest is dropped."""
        kept = [*self.versions()]
        version = str(max(map(int, kept), default=0) + 1)
        self._documents.put(_SPACES, version, {**space, "version": version})
        self.use(version)
        for old in kept[: max(len(kept) + 1 - SPACES_KEPT, 0)]:
            self._documents.delete(_SPACES, old)
        return version

    def use(self, version: str) -> None:
        """Have searches use a version that is kept, or NONE. Raises UnknownSpaceError."""
        kept = [*self.versions(), NONE]
        if version not in kept:
            raise UnknownSpaceError(f"version {version} is not kept; {', '.join(kept)} are")
        self._documents.put(_STATE, _IN_USE, {"version": version, "before": self.in_use()})

    def roll_back(self) -> None:
        """Return to the version that was in use before this one. Raises UnknownSpaceError."""
        self.use(str(self._state().get("before", NONE)))

    def _state(self) -> dict[str, Any]:
        return self._documents.all(_STATE).get(_IN_USE, {})
