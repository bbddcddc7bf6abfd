"""Forgetting a shopper in everything that was written besides the log and the online store."""

from collections.abc import Collection
from pathlib import Path

from features.definitions import SESSION_VIEW, USER_VIEW
from features.store.archive import Archive
from features.store.offline import OfflineStore, erase_rows
from features.store.online_rows import SqliteRows
from features.store.settings import PROJECT


class Eraser:
    """Erases in the offline store, the archive, imported data sets and a data scientist's copy."""

    def __init__(
        self,
        offline: OfflineStore,
        dataset_folders: Collection[Path] = (),
        copies: Collection[Path] = (),
        archive: Archive | None = None,
    ) -> None:
        self._offline = offline
        self._dataset_folders = dataset_folders
        self._copies = copies
        self._archive = archive

    def erase(
        self, user_id: str, session_ids: Collection[str], since_s: float | None = None
    ) -> None:
        """Leave no row of the user or of the sessions; safe to repeat.

        since_s: only what was done from then on; imported data sets are older, and stay
        """
        self._offline.erase(user_id, session_ids, since_s)
        if self._archive is not None:
            self._archive.erase(user_id, session_ids, since_s)
        for folder in self._dataset_folders if since_s is None else ():
            erase_in_dataset(folder, user_id, session_ids)
        for path in self._copies:
            if path.is_file():
                copy = SqliteRows(path, PROJECT)
                copy.delete(USER_VIEW, [user_id])
                copy.delete(SESSION_VIEW, session_ids)
                copy.compact()
                copy.close()


def erase_in_dataset(folder: Path, user_id: str, session_ids: Collection[str]) -> None:
    """Rewrite the events of an imported data set (its Parquet form) without the shopper."""
    path = folder / "events.parquet"
    if path.is_file():
        erase_rows(path, "user_id", {user_id})
        if session_ids and path.is_file():
            erase_rows(path, "session_id", set(session_ids))
