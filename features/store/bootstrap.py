"""From a data set to a working store: catalogue, online rows, offline snapshots.

The history is folded by the code of live ingest, but is not copied into the event log: the data set
itself stays its record. Rows are written with `applied_seq` 0, so the log, which begins empty at
position 1, continues the history.
"""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd
import pyarrow as pa
from rich.progress import Progress

from features.arrays import LongArray
from features.behavior.aggregator import Aggregator, uncollected
from features.behavior.replay import fold_all, item_table
from features.behavior.state import BehaviorState
from features.behavior.state_rows import states_to_columns
from features.catalog.counters import DAY_S
from features.catalog.item_rows import ItemRows
from features.catalog.table import ItemTable
from features.datasets.event_rows import behavior_events
from features.datasets.format import Dataset
from features.definitions import ITEM_VIEW, SESSION_VIEW, TTL_S, USER_VIEW
from features.store.backends import open_catalog, open_event_log
from features.store.feature_store import apply, open_store
from features.store.offline import OfflineStore, snapshot_table
from features.store.online import OnlineFeatures
from features.store.settings import StoreSettings

_FOLD_CHUNK = 20_000  # events between two looks at the progress bar
_SNAPSHOT_ROWS = 4_000  # rows made at a time: bounds memory


class BootstrapError(Exception):
    """The store cannot be filled; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class BootstrapReport:
    """What was written, and how long it took."""

    items: int
    events: int
    users: int
    sessions: int
    snapshots: int
    seconds: float


def bootstrap(
    dataset: Dataset,
    settings: StoreSettings,
    now_s: float,
    progress: Progress | None = None,
    history_s: float = 56 * DAY_S,
) -> BootstrapReport:
    """Fill an empty store from `dataset`, whose times are used as they are (see shift_to_now).

    Offline snapshots cover the last `history_s` before the newest event: every user at the start
    and then on each active day, items at the start and then each week. Sessions whose TTL is over
    at `now_s` are not written. Raises BootstrapError when the store has taken live events already:
    they would be lost.
    """
    started_s = time.perf_counter()
    _refuse_a_used_store(settings)
    store = open_store(settings)
    apply(store, settings)
    items = item_table(dataset)
    catalog = open_catalog(settings)
    catalog.upsert(items.items)
    catalog.close()

    fold = Aggregator(items.row_of, items.facts, _finished_sessions(dataset.events, now_s))
    stops = _Stops(dataset, history_s)
    snapshots = _Snapshots(OfflineStore(settings.offline_path), items, fold, now_s)
    _replay(dataset, fold, stops, snapshots, progress)

    online = OnlineFeatures(store)
    sessions = _forget_positions(fold, now_s)
    _write_online(online, items, fold, sessions, progress)
    online.close()
    return BootstrapReport(
        items=len(items),
        events=len(dataset.events),
        users=len(fold.users),
        sessions=len(sessions),
        snapshots=snapshots.rows,
        seconds=time.perf_counter() - started_s,
    )


def _refuse_a_used_store(settings: StoreSettings) -> None:
    log = open_event_log(settings)
    used = log.last_seq()
    log.close()
    if used:
        raise BootstrapError(f"{settings.state}: live events are in this store already")


def _finished_sessions(events: pd.DataFrame, now_s: float) -> frozenset[str]:
    """Sessions that are not written, and that say nothing of a user which its events do not.

    These are over by `now_s`, and each of their events names its user.
    """
    of = events.groupby("session_id", sort=False)
    alive = of["at"].max() >= now_s - TTL_S[SESSION_VIEW]
    by_guests = (events["user_id"] == "").groupby(events["session_id"], sort=False).any()
    return frozenset(alive.index[~(alive | by_guests)]) - {""}


class _Stops:
    """Where in the log snapshots are taken: at the start of the window and after each of its days.

    positions: int64 (n,) ascending numbers of events
    """

    def __init__(self, dataset: Dataset, history_s: float) -> None:
        at_s = dataset.events["at"].to_numpy(np.float64)
        self._user = dataset.events["user_id"].to_numpy()
        self._item = dataset.events["item_id"].to_numpy()
        start_s = (at_s[-1] - history_s) // DAY_S * DAY_S if len(at_s) else 0.0
        first = int(np.searchsorted(at_s, start_s))
        day = at_s[first:] // DAY_S
        ends = first + np.flatnonzero(np.diff(day)) + 1
        positions = np.unique(np.append(np.append(ends, first), len(at_s)))
        self.positions: LongArray = positions.astype(np.int64)
        # Items: at the start, then every seventh day, and at the end.
        self.item_positions = {*positions[::7].tolist(), len(at_s)}

    def users(self, start: int, end: int) -> list[str]:
        """Users of the events `start` to `end`."""
        return [user for user in dict.fromkeys(self._user[start:end].tolist()) if user]

    def items(self, start: int, end: int) -> list[str]:
        """Items of the events `start` to `end`."""
        return [item for item in dict.fromkeys(self._item[start:end].tolist()) if item]


class _Snapshots:
    """Writes snapshots of a fold's current state."""

    def __init__(
        self, offline: OfflineStore, items: ItemTable, fold: Aggregator, now_s: float
    ) -> None:
        self._offline, self._items, self._fold, self._now_s = offline, items, fold, now_s
        self.rows = 0

    def users(self, user_ids: list[str]) -> Iterator[pa.Table]:
        """Tables of the users' states."""
        for start in range(0, len(user_ids), _SNAPSHOT_ROWS):
            part = user_ids[start : start + _SNAPSHOT_ROWS]
            columns = states_to_columns(self._fold.users[user_id] for user_id in part)
            columns["applied_seq"] = [0] * len(part)  # positions of the data set, not of a log
            self.rows += len(part)
            yield snapshot_table(USER_VIEW, part, columns, self._now_s)

    def items(self, item_ids: list[str]) -> pa.Table:
        """A table of the items' counters."""
        known = [item_id for item_id in item_ids if item_id in self._items.row_of]
        rows = ItemRows.taken_from(self._fold.items, self._items.rows(known), known)
        rows = rows.where(rows.at_s > 0)
        self.rows += len(rows.item_ids)
        return snapshot_table(ITEM_VIEW, rows.item_ids, rows.columns(), self._now_s)


def _replay(
    dataset: Dataset,
    fold: Aggregator,
    stops: _Stops,
    snapshots: _Snapshots,
    progress: Progress | None,
) -> None:
    task = progress.add_task("events", total=len(dataset.events)) if progress else None
    source = behavior_events(dataset.events)
    offline = snapshots._offline
    with (
        offline.writer(USER_VIEW) as users,
        offline.writer(ITEM_VIEW) as items,
        ThreadPoolExecutor(1, thread_name_prefix="snapshots") as compressing,
        uncollected(),
    ):
        written: Future[None] | None = None
        done = last = last_items = 0
        for stop in stops.positions.tolist():
            while done < stop:
                done = fold_all(fold, islice(source, min(_FOLD_CHUNK, stop - done)), done)
                if progress is not None and task is not None:
                    progress.update(task, completed=done)
            for table in snapshots.users(stops.users(last, stop)):
                if written is not None:  # one waits at most: bounds memory, and tells of errors
                    written.result()
                written = compressing.submit(users, table)
            if stop in stops.item_positions:
                items(snapshots.items(stops.items(last_items, stop)))
                last_items = stop
            last = stop
        if written is not None:
            written.result()


def _forget_positions(fold: Aggregator, now_s: float) -> dict[str, BehaviorState]:
    """Set every applied_seq to 0; returns the sessions that are still alive at `now_s`."""
    oldest_s = now_s - TTL_S[SESSION_VIEW]
    alive = {key: state for key, state in fold.sessions.items() if state.last_s >= oldest_s}
    for states in (fold.users, alive):
        for state in states.values():
            state.applied_seq = 0
    fold.items.applied_seq[:] = 0
    return alive


def _write_online(
    online: OnlineFeatures,
    items: ItemTable,
    fold: Aggregator,
    sessions: dict[str, BehaviorState],
    progress: Progress | None,
) -> None:
    total = len(fold.users) + len(sessions) + len(items)
    task = progress.add_task("online store", total=total) if progress else None
    writes = ((fold.users, online.write_users), (sessions, online.write_sessions))
    for states, write in writes:
        keys = iter(states)
        while part := list(islice(keys, _SNAPSHOT_ROWS)):
            write({key: states[key] for key in part})
            if progress is not None and task is not None:
                progress.advance(task, len(part))
    rows = np.arange(len(items))
    written = ItemRows.taken_from(fold.items, rows, items.item_ids)
    online.write_items(written.where(written.at_s > 0))
    online.sync()
    if progress is not None and task is not None:
        progress.update(task, completed=total)
