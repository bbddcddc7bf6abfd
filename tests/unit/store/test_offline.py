"""Snapshots, which several processes may write."""

from pathlib import Path

from features.definitions import USER_VIEW
from features.store.offline import OfflineStore, schema


def test_a_file_that_is_still_written_is_left_alone(tmp_path: Path) -> None:
    """The set-up job fills the store while ingest starts."""
    store = OfflineStore(tmp_path)
    store.prepare()
    with store.writer(USER_VIEW) as write:
        write(schema(USER_VIEW).empty_table())
        (part,) = (tmp_path / USER_VIEW).glob(".*")
        written = part.read_bytes()  # without the footer that makes it readable
        store.conform()
        store.prune(2e9)
        store.compact(USER_VIEW)
        store.erase("ann", ["s1"])
        assert part.read_bytes() == written
