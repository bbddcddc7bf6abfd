"""Folders to which `make export` wrote a shop's log: an erasure reaches those that are there."""

from pathlib import Path

from features.controls.store import Documents

_EXPORTS = "exports"  # by folder


class Exports:
    """Of one shop. Blocks."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def note(self, folder: Path, at_s: float) -> None:
        """A data set is written there; durable when it returns. Raises StoreFullError."""
        self._documents.put(_EXPORTS, str(folder.resolve()), {"at_s": at_s})

    def folders(self) -> list[Path]:
        """Those that are there, as this machine sees them."""
        return [path for each in self._documents.all(_EXPORTS) if (path := Path(each)).is_dir()]
