"""Feature state in Feast's online store: one read for a ranking, batched writes for ingest."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
from feast import FeatureStore
from feast.online_response import OnlineResponse

from features.behavior.matrix import Shopper
from features.behavior.state import BehaviorState
from features.behavior.state_rows import BEHAVIOR_COLUMNS, PACKED, StateRow, pack
from features.catalog.counters import COUNTS_SHAPE
from features.catalog.item_rows import ItemRows
from features.definitions import (
    COLUMNS,
    ITEM_VIEW,
    JOIN_KEY,
    SESSION_VIEW,
    TTL_S,
    USER_VIEW,
)
from features.events.lease import UNSHARED, Lease
from features.store.online_rows import FeastRow, entity_key, online_rows

_WRITE_ROWS = 2_000  # rows a transaction: bounds its memory and how long others wait
_READ_KEYS = 500  # keys a query
_KEPT_ROWS = 512  # states that were read last, some 10 KiB each


class OnlineFeatures:
    """Reads and writes states by id.

    Threads may share one for reading: Feast's SQLite connection is serialized, so they take turns.
    Only one process writes: ingest, the holder of `lease`; others get LeaseLostError. Nothing here
    is async: a read takes well under a millisecond and a half (docs/features.md), Redis adds its
    network.
    """

    def __init__(self, store: FeatureStore, lease: Lease = UNSHARED) -> None:
        self._store, self._lease = store, lease
        self._rows = online_rows(store)
        # By what is in the row, so never stale: a page of several shelves asks for one state often.
        # To read from only: who folds into a state gets a row of his own.
        self._unpacked = lru_cache(_KEPT_ROWS)(StateRow.unpack)

    def read_shopper(
        self, user_id: str | None, session_id: str | None, now_s: float | None = None
    ) -> Shopper:
        """What is known of who asks, with ONE read of the store; unknown parts are None.

        With `now_s`, a session that has been idle for longer than its TTL is not known any more.
        """
        keys = {USER_VIEW: user_id, SESSION_VIEW: session_id}
        given = {view: key for view, key in keys.items() if key}
        if not given:
            return Shopper()
        rows = self._rows.read(given)
        user, session = (
            self._row(view, given[view], *rows[view], unpack=self._unpacked)
            if view in given
            else None
            for view in (USER_VIEW, SESSION_VIEW)
        )
        if session and now_s is not None and now_s - session.last_s > TTL_S[SESSION_VIEW]:
            session = None
        return Shopper(user, session)

    def read_users(self, user_ids: Collection[str]) -> dict[str, BehaviorState]:
        """The states of the users that are known."""
        return self._read_states(USER_VIEW, user_ids)

    def read_sessions(self, session_ids: Collection[str]) -> dict[str, BehaviorState]:
        """The states of the sessions that are known."""
        return self._read_states(SESSION_VIEW, session_ids)

    def read_items(self, item_ids: Sequence[str]) -> ItemRows:
        """Counter rows in the order asked; an item without events gets an empty row."""
        n = len(item_ids)
        counts = np.zeros((n, *COUNTS_SHAPE), np.float32)
        at_s, first_s = np.zeros(n), np.full(n, np.inf)
        applied_seq = np.zeros(n, np.int64)
        for start in range(0, n, _READ_KEYS):
            part = item_ids[start : start + _READ_KEYS]
            columns = self._read(ITEM_VIEW, COLUMNS[ITEM_VIEW], part)
            values = zip(
                *(columns[f"{ITEM_VIEW}__{name}"].values for name in COLUMNS[ITEM_VIEW]),
                strict=True,
            )
            for row, (flat, first, last, seq) in enumerate(values, start):
                if last.WhichOneof("val") is not None:
                    counts[row] = np.array(flat.float_list_val.val).reshape(COUNTS_SHAPE)
                    first_s[row], at_s[row] = first.double_val, last.double_val
                    applied_seq[row] = seq.int64_val
        return ItemRows(tuple(item_ids), counts, at_s, first_s, applied_seq)

    def write_users(self, states: Mapping[str, BehaviorState]) -> None:
        """Replace the rows of these users, each row as a whole; see `sync`."""
        self._write_states(USER_VIEW, states)

    def write_sessions(self, states: Mapping[str, BehaviorState]) -> None:
        """Replace the rows of these sessions."""
        self._write_states(SESSION_VIEW, states)

    def write_items(self, rows: ItemRows) -> None:
        """Replace the counter rows of these items."""
        columns = rows.columns()
        self._write(ITEM_VIEW, rows.item_ids, columns, columns["last_s"])

    def delete_user(self, user_id: str, session_ids: Collection[str] = ()) -> None:
        """Delete the user's row and those of the sessions."""
        self._lease.check()
        self._rows.delete(USER_VIEW, [user_id])
        self._rows.delete(SESSION_VIEW, session_ids)

    def delete_sessions(self, session_ids: Collection[str]) -> None:
        """Delete the sessions' rows."""
        self._lease.check()
        self._rows.delete(SESSION_VIEW, session_ids)

    def prune(self, now_s: float) -> None:
        """Delete shoppers and sessions that have been idle for longer than their TTL."""
        for view in (USER_VIEW, SESSION_VIEW):
            self._rows.prune(view, now_s - TTL_S[view])

    def sync(self) -> None:
        """Make everything written so far survive a power cut."""
        self._rows.sync()

    def compact(self) -> bool:
        """Leave no byte of deleted rows in any file; False when a reader was in the way."""
        return self._rows.compact()

    def close(self) -> None:
        """Give back what this object opened itself."""
        self._rows.close()

    def _read(self, view: str, names: Iterable[str], keys: Sequence[str]) -> dict[str, Any]:
        response = self._store.get_online_features(
            _references(view, names),
            entity_rows={JOIN_KEY[view]: list(keys)},
            full_feature_names=True,
        )
        return _columns(response)

    def _read_states(self, view: str, keys: Collection[str]) -> dict[str, BehaviorState]:
        states = {}
        wanted = list(keys)
        for start in range(0, len(wanted), _READ_KEYS):
            part = wanted[start : start + _READ_KEYS]
            columns = self._read(view, [PACKED], part)
            vector = columns[f"{view}__{PACKED}"]
            read = zip(part, vector.values, vector.event_timestamps, strict=True)
            for key, value, at in read:
                row = self._row(view, key, value.bytes_val, bool(at.seconds))
                if row is not None:
                    states[key] = row.state()
        return states

    def _row(
        self,
        view: str,
        key: str,
        packed: bytes,
        known: bool,
        unpack: Callable[[bytes], StateRow] = StateRow.unpack,
    ) -> StateRow | None:
        """What PACKED holds of `key`; where it has nothing, a row that was written before PACKED
        was, or that somebody has pushed, is read by its columns."""
        if packed:
            return unpack(packed)
        if not known:
            return None
        pushed = self._read(view, BEHAVIOR_COLUMNS, [key])
        values = {name: pushed[f"{view}__{name}"].values[0] for name in BEHAVIOR_COLUMNS}
        if values["last_s"].WhichOneof("val") is None:
            return None
        return StateRow({name: COLUMNS[view][name].read(value) for name, value in values.items()})

    def _write_states(self, view: str, states: Mapping[str, BehaviorState]) -> None:
        packed = [pack(state) for state in states.values()]
        last_s = [state.last_s for state in states.values()]
        self._write(view, list(states), {PACKED: packed}, last_s)

    def _write(
        self,
        view: str,
        keys: Sequence[str],
        columns: Mapping[str, list[Any]],
        last_s: Sequence[float],
    ) -> None:
        """What FeatureStore.write_to_online_store does, without its way through pandas and Arrow.

        That way costs 20 ms for a batch of one and takes four fifths of the time of a batch of
        twenty; the rows are the same (a contract test compares them).
        """
        created = datetime.now(UTC)
        for start in range(0, len(keys), _WRITE_ROWS):
            rows: list[FeastRow] = [
                (
                    entity_key(view, key),
                    {name: COLUMNS[view][name].write(of[row]) for name, of in columns.items()},
                    datetime.fromtimestamp(last_s[row], UTC),
                    created,
                )
                for row, key in enumerate(keys[start : start + _WRITE_ROWS], start)
            ]
            self._lease.check()
            self._rows.write(view, rows)


def _references(view: str, names: Iterable[str]) -> list[str]:
    return [f"{view}:{name}" for name in names]


def _columns(response: OnlineResponse) -> dict[str, Any]:
    """Feature name -> Feast's vector; `to_dict` would convert each value twice."""
    proto = response.proto
    return dict(zip(proto.metadata.feature_names.val, proto.results, strict=True))
