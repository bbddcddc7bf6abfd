"""The shops of an installation beside the default one: a document each, in the installation's
controls. Serving writes them, ingest ends what was removed, and all processes follow.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from features.controls.store import Documents

SHOPS = "shops"  # the kind of the documents
DEFAULT_SHOP = "default"  # is always there, and is configured by files
SHOP_NAME = "^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"
_log = logging.getLogger(__name__)


class ShopStatus(StrEnum):
    """What a shop does."""

    ACTIVE = "active"
    PAUSED = "paused"  # keeps everything and answers nobody
    REMOVED = "removed"  # nobody's any more; what is kept of it is being deleted


@dataclass(frozen=True, slots=True)
class Registered:
    """One shop as it is registered.

    space: names all that is kept of it; another one when a name is used again; at_ms: of the last
    change of its status, unix milliseconds; definition: as the API took it; keys: by name
    """

    name: str
    space: str
    status: ShopStatus
    at_ms: int
    definition: Mapping[str, Any]
    keys: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, name: str, told: Mapping[str, Any]) -> "Registered":
        """As `document` tells it; raises ValueError, KeyError for what cannot be read."""
        return cls(
            name,
            told["space"],
            ShopStatus(told["status"]),
            told["at_ms"],
            told["definition"],
            told["keys"],
        )

    @property
    def document(self) -> dict[str, Any]:
        """JSON."""
        return {
            "space": self.space,
            "status": self.status.value,
            "at_ms": self.at_ms,
            "definition": dict(self.definition),
            "keys": {name: dict(key) for name, key in self.keys.items()},
        }

    def now(self, status: ShopStatus, at_ms: int) -> "Registered":
        """The same in another status; a removed shop has no keys and no definition."""
        if status is ShopStatus.REMOVED:
            return replace(self, status=status, at_ms=at_ms, definition={}, keys={})
        return self if status is self.status else replace(self, status=status, at_ms=at_ms)


def registered(documents: Documents) -> dict[str, Registered]:
    """All of them by name, removed ones too as long as something is kept of them. Blocks."""
    found = {}
    for name, told in documents.all(SHOPS).items():
        try:
            found[name] = Registered.of(name, told)
        except (ValueError, KeyError):
            # Of another release: left as it is, by those that cannot tell what it says.
            _log.warning("the shop %s is registered in a form that is not known here", name)
    return found
