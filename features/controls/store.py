"""Documents and tallies that all replicas share, as a contract.

A document is small JSON by kind and key: what somebody decided, what was read of an experiment.
A tally is counts by minute, which add up over replicas and are forgotten after a while.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import orjson

KEPT_MINUTES = 120  # of a tally, unless it says otherwise


class Documents(Protocol):
    """JSON objects by kind and key; the last one written stands."""

    def put(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Add or replace a document; durable when it returns. Raises StoreFullError."""
        ...

    def put_all(self, kind: str, documents: Mapping[str, Mapping[str, Any]]) -> None:
        """Add or replace documents by key, all or none; durable when it returns.

        Raises StoreFullError.
        """
        ...

    def delete(self, kind: str, key: str) -> None:
        """Remove a document; an unknown one is gone already."""
        ...

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        """All documents of a kind, by key."""
        ...


class Tallies(Protocol):
    """Counts by name, minute (unix seconds // 60) and field."""

    def add(
        self, name: str, minute: int, counts: Mapping[str, float], kept: int = KEPT_MINUTES
    ) -> None:
        """Add to what is counted of a minute; what is `kept` minutes before it is forgotten.

        kept: the same for all of a name

        Raises StoreFullError.
        """
        ...

    def add_all(
        self, name: str, counts: Mapping[int, Mapping[str, float]], kept: int = KEPT_MINUTES
    ) -> None:
        """The same of several minutes, all or none; what is `kept` before the last is forgotten."""
        ...

    def read(self, name: str, since_minute: int) -> dict[int, dict[str, float]]:
        """What each minute from `since_minute` on counted; those without anything are absent."""
        ...


class Controls(Documents, Tallies, Protocol):
    """Both, in one store."""

    def swap(
        self, kind: str, key: str, before: Mapping[str, Any] | None, document: Mapping[str, Any]
    ) -> bool:
        """`put`, if `before` still stands there (None: nothing); False when somebody was quicker.

        before: as `all` gave it. Raises StoreFullError.
        """
        ...

    def compact(self) -> bool:
        """Leave no byte of deleted entries in any file; False when a reader was in the way."""
        ...

    def close(self) -> None:
        """Give back files and connections."""
        ...


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """A document as JSON."""
    return orjson.dumps(dict(document))
