"""Forgetting a shopper in everything that was written besides the log and the online store."""

import logging
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.controls.exports import Exports
from features.definitions import SESSION_VIEW, USER_VIEW
from features.events.sharing import Named
from features.store.archive import Archive
from features.store.erasing import Keys, in_turn
from features.store.offline import OfflineStore, drop_rows
from features.store.online_rows import SqliteRows
from features.store.settings import PROJECT

_LOG = logging.getLogger("vitrine.ingest")
_TABLES = ("events.parquet", "rankings.parquet")


class Eraser:
    """Erases in the offline store, the archive, imported and exported data sets, and a data
    scientist's copy."""

    def __init__(
        self,
        offline: OfflineStore,
        dataset_folders: Collection[Path] = (),
        copies: Collection[Path] = (),
        archive: Archive | None = None,
        exports: Exports | None = None,
    ) -> None:
        self._offline, self._exports = offline, exports
        self._dataset_folders = dataset_folders
        self._copies = copies
        self._archive = archive

    def erase(
        self,
        user_id: str,
        session_ids: Collection[str],
        since_s: float | None = None,
        named: Collection[Named] = (),
    ) -> None:
        """Leave no row of the user or of the sessions; safe to repeat.

        since_s: only what was done from then on; imported data sets are older, and stay
        named: whom the sessions named by what the log knew
        """
        self._offline.erase(user_id, session_ids, since_s)
        if self._archive is not None:
            self._archive.erase(user_id, session_ids, since_s, named)
        for folder in self._dataset_folders if since_s is None else ():
            erase_in_dataset(folder, user_id, session_ids, named=named)
        for folder in self._exports.folders() if self._exports is not None else ():
            try:
                _drop_broken(folder)
                erase_in_dataset(folder, user_id, session_ids, since_s, named)
            except (OSError, KeyError, pa.ArrowException):
                # Perhaps another's by now: it must not keep ingest from all that comes after.
                _LOG.exception("%s: an export that nobody can be erased from", folder)
        for path in self._copies:
            if path.is_file():
                copy = SqliteRows(path, PROJECT)
                copy.delete(USER_VIEW, [user_id])
                copy.delete(SESSION_VIEW, session_ids)
                copy.compact()
                copy.close()


def erase_in_dataset(
    folder: Path,
    user_id: str,
    session_ids: Collection[str],
    since_s: float | None = None,
    named: Iterable[Named] = (),
) -> None:
    """Rewrite the events and rankings of a data set (its Parquet form) without the shopper; safe to
    repeat.

    since_s: only what was done from then on
    named: whom the sessions named by what the log knew
    """
    paths = [path for name in _TABLES if (path := folder / name).is_file()]
    for which in in_turn((_keys(path)[1] for path in paths), user_id, session_ids, named):
        for path in filter(Path.is_file, paths):  # without a row left it is gone
            rows, keys = _keys(path)
            gone = which(keys)
            if since_s is not None:
                gone = pc.and_(gone, pc.greater_equal(rows["at"].combine_chunks(), since_s))
            drop_rows(path, gone)


def _drop_broken(folder: Path) -> None:
    """Delete tables that break off, as an export leaves them that was killed: nobody can read them,
    but their bytes. One that runs begins anew after an erasure."""
    for path in (folder / name for name in _TABLES):
        if path.is_file():
            try:
                pq.read_metadata(path)
            except pa.ArrowInvalid:
                _LOG.warning("%s breaks off: deleted for an erasure", path)
                path.unlink()


def _keys(path: Path) -> tuple[pa.Table, Keys]:
    rows = pq.read_table(path, columns=["user_id", "session_id", "at"])
    return rows, Keys(rows["user_id"], rows["session_id"], _at(rows))


def _at(rows: pa.Table) -> Callable[[pa.Array], list[float]]:
    return lambda places: rows["at"].take(places).to_pylist()
