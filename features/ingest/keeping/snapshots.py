"""Which rows changed since their last snapshot, and writing those."""

from collections.abc import Iterable
from itertools import islice

from features.behavior.state_rows import states_to_columns
from features.definitions import ITEM_VIEW, USER_VIEW
from features.ingest.working_set import WorkingSet
from features.store.offline import OfflineStore, snapshot_table

SNAPSHOT_ROWS = 5_000  # written at once: bounds the pause that it makes
MAX_UNSAVED = 50_000  # rows that wait for their snapshot while events wait: bounds memory


class Snapshots:
    """Of the rows of `working`, for the offline store."""

    def __init__(self, offline: OfflineStore, working: WorkingSet) -> None:
        self._offline, self._working = offline, working
        self._users: set[str] = set()
        self._items: set[str] = set()

    def __len__(self) -> int:
        return len(self._users) + len(self._items)

    def changed(self, users: Iterable[str], items: Iterable[str]) -> None:
        """These are to be written."""
        self._users.update(users)
        self._items.update(items)

    def forget(self, user_id: str) -> None:
        """The user was erased."""
        self._users.discard(user_id)

    def due(self, behind: bool) -> bool:
        """Whether a piece is to be written now; behind: events wait.

        A history that is imported changes the same rows again and again: snapshots of every few
        seconds of it would cost a fifth of ingest and tell nothing.
        """
        return len(self) > MAX_UNSAVED or (len(self) > SNAPSHOT_ROWS and not behind)

    def save(self, now_s: float) -> None:
        """Write a piece."""
        user_ids = [*islice(self._users, SNAPSHOT_ROWS)]
        item_ids = [*islice(self._items, SNAPSHOT_ROWS - len(user_ids))]
        users = self._working.users(user_ids)
        if users:
            columns = states_to_columns(users.values())
            self._offline.append(USER_VIEW, snapshot_table(USER_VIEW, users, columns, now_s))
        items = self._working.items(item_ids)
        items = items.where(items.at_s > 0)
        if items.item_ids:
            table = snapshot_table(ITEM_VIEW, items.item_ids, items.columns(), now_s)
            self._offline.append(ITEM_VIEW, table)
        self._users.difference_update(user_ids)
        self._items.difference_update(item_ids)
