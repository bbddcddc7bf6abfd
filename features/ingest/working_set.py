"""Ingest's working set: the fold over states that are cached here and kept in the online store."""

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain

import numpy as np

from features.behavior.aggregator import Aggregator
from features.behavior.shares import SHARE_HALF_LIFE_S
from features.behavior.state import BehaviorState
from features.catalog.item_rows import ItemRows
from features.catalog.table import ItemTable
from features.events.event import BehaviorEvent, EventType
from features.store.online import OnlineFeatures


class WorkingSet:
    """States of the shoppers seen last; the rest is read back from the online store when needed.

    `load` the events of a batch, `apply` them, `flush`: then the online store holds them. States
    that were applied and not flushed are never evicted.
    """

    def __init__(
        self, online: OnlineFeatures, items: ItemTable, max_users: int, max_sessions: int
    ) -> None:
        self._online = online
        self._items = items
        self._max_users, self._max_sessions = max_users, max_sessions
        self.clear()

    def clear(self) -> None:
        """Forget everything that is not in the online store."""
        self._fold = Aggregator(self._items.row_of, self._items.facts)
        self._loaded = np.zeros(len(self._items), bool)
        self._users: set[str] = set()
        self._sessions: set[str] = set()
        self._item_ids: dict[str, None] = {}

    def load(self, events: Sequence[BehaviorEvent]) -> None:
        """Have at hand every state that `events` concern."""
        fold, online = self._fold, self._online
        users = _new({event.user_id for event in events}, fold.users)
        sessions = _new({event.session_id for event in events}, fold.sessions)
        if users:
            fold.users.update(online.read_users(users))
        if sessions:
            fold.sessions.update(online.read_sessions(sessions))
        self._load_items({event.item_id for event in events if event.item_id})

    def apply(self, event: BehaviorEvent, seq: int, with_item: bool = True) -> bool:
        """Fold one event into the states that it concerns; see Aggregator.apply."""
        capped = self._fold.apply(event, seq, with_item)
        if event.user_id in self._fold.users:
            self._users.add(event.user_id)
        if event.session_id in self._fold.sessions:
            self._sessions.add(event.session_id)
        if event.type is EventType.FORGET:
            self._sessions.update(self._fold.sessions_of(event.user_id))
        if with_item and event.item_id in self._items.row_of:
            self._item_ids[event.item_id] = None
        return capped

    def flush(self) -> list[str]:
        """Write what `apply` touched, durably; returns the items whose counters changed."""
        fold, online = self._fold, self._online
        changed = list(self._item_ids)
        # What an event does to its item depends on its shopper's state: a crash in between must
        # leave items ahead of shoppers, so that the state to compute it from is still there.
        if changed:
            rows = self._items.rows(changed)
            written = ItemRows.taken_from(fold.items, rows, changed)
            seen = written.at_s > 0  # a dwell is in no counter
            online.write_items(written.where(seen))
        if self._users:
            online.write_users({key: fold.users[key] for key in self._users})
        if self._sessions:
            online.write_sessions({key: fold.sessions[key] for key in self._sessions})
        online.sync()
        _evict(fold.users, self._users, self._max_users)
        _evict(fold.sessions, self._sessions, self._max_sessions)
        self._users.clear()
        self._sessions.clear()
        self._item_ids.clear()
        return changed

    def forget(self, user_id: str, session_ids: Collection[str], seq: int) -> list[str]:
        """Drop a shopper here and in the online store, and the shares given; `flush` before.

        seq: log position of the erasure. Returns the items whose counters changed.
        """
        fold, online = self._fold, self._online
        users = fold.users if user_id in fold.users else online.read_users([user_id])
        unread = _new(set(session_ids), fold.sessions)
        sessions = {**fold.sessions, **(online.read_sessions(unread) if unread else {})}
        states = [users.get(user_id), *map(sessions.get, session_ids)]
        shares = [state.given for state in states if state is not None]
        changed = [
            item_id
            for item_id in dict.fromkeys(chain.from_iterable(shares))
            if item_id in self._items.row_of
        ]
        self._load_items(changed)
        for item_id, row in zip(changed, self._items.rows(changed).tolist(), strict=True):
            if seq > fold.items.applied_seq[row]:  # it was not done before a crash
                for at_s, *levels in (given[item_id] for given in shares if item_id in given):
                    fold.items.take_share(row, levels, at_s, SHARE_HALF_LIFE_S)
                fold.items.applied_seq[row] = seq
        if changed:
            rows = self._items.rows(changed)
            written = ItemRows.taken_from(fold.items, rows, changed)
            online.write_items(written.where(written.at_s > 0))
            online.sync()
        fold.users.pop(user_id, None)
        for session_id in session_ids:
            fold.sessions.pop(session_id, None)
        online.delete_user(user_id, session_ids)
        return changed

    def put_back(
        self,
        user_id: str,
        session_ids: Collection[str],
        seq: int,
        before: Callable[[BehaviorState], BehaviorState | None],
    ) -> None:
        """Have the user known as `before` makes of what is known, and the sessions not at all;
        `flush` before. Once, through any crash. seq: log position that asks for it.
        """
        fold, online = self._fold, self._online
        known = self.users([user_id]).get(user_id)
        state = None if known is None else known if known.applied_seq >= seq else before(known)
        for session_id in session_ids:
            fold.sessions.pop(session_id, None)
        fold.users.pop(user_id, None)
        if state is None:
            online.delete_user(user_id, session_ids)
            return
        # The row is replaced, not deleted and written: a crash in between would leave nothing.
        fold.users[user_id] = state
        online.write_users({user_id: state})
        online.sync()
        online.delete_sessions(session_ids)

    def users(self, user_ids: Collection[str]) -> dict[str, BehaviorState]:
        """Current states, from here or from the online store."""
        cached = {key: self._fold.users[key] for key in user_ids if key in self._fold.users}
        missing = [key for key in user_ids if key not in cached]
        return {**cached, **self._online.read_users(missing)}

    def items(self, item_ids: Collection[str]) -> ItemRows:
        """Current counter rows."""
        self._load_items(item_ids)
        ids = list(item_ids)
        return ItemRows.taken_from(self._fold.items, self._items.rows(ids), ids)

    def _load_items(self, item_ids: Iterable[str]) -> None:
        if len(self._items) > len(self._loaded):
            added = len(self._items) - len(self._loaded)
            self._fold.items.resize(len(self._items))
            self._loaded = np.concatenate([self._loaded, np.zeros(added, bool)])
        row_of = self._items.row_of
        missing = [key for key in item_ids if key in row_of and not self._loaded[row_of[key]]]
        if missing:
            rows = self._items.rows(missing)
            self._online.read_items(missing).put_into(self._fold.items, rows)
            self._loaded[rows] = True


def _new(keys: Collection[str | None], known: Collection[str]) -> list[str]:
    return sorted(key for key in keys if key and key not in known)


def _evict(states: dict[str, BehaviorState], used: Collection[str], capacity: int) -> None:
    """Move what was used to the young end, and drop from the old end."""
    for key in used:
        states[key] = states.pop(key)
    for key in list(states)[: max(len(states) - capacity, 0)]:
        del states[key]
