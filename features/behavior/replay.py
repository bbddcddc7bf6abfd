"""A data set's history, folded in order, stopping where a training or evaluation case needs it.

What a stop sees is what `Aggregator`, the code of live ingest, made of the events before it. So a
feature row made at a stop is point-in-time by construction: later events have not been folded yet.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from rich.progress import Progress

from features.arrays import LongArray
from features.behavior.aggregator import Aggregator, uncollected
from features.behavior.neighbors import Interactions, item_interactions, neighbor_tables
from features.behavior.state import SESSION_TTL_S
from features.catalog.counters import DAY_S
from features.catalog.item import Item
from features.catalog.table import ItemTable
from features.datasets.columns import ITEM_COLUMNS
from features.datasets.event_rows import behavior_events
from features.datasets.format import Dataset
from features.datasets.item_details import attributes_of
from features.events.event import BehaviorEvent


@dataclass(frozen=True, slots=True)
class Stop:
    """The state of the world just before event number `position` of the log."""

    position: int
    at_s: float
    index: int  # of the position among those given
    state: Aggregator
    items: ItemTable


def item_table(dataset: Dataset) -> ItemTable:
    """The catalogue of a data set; rows in the order of its items."""
    columns = [dataset.items[name].tolist() for name in ITEM_COLUMNS]
    items = (_item(*values) for values in zip(*columns, strict=True))
    return ItemTable(items, dataset.info.prices)


def _item(*values: Any) -> Item:
    """An item from the values of ITEM_COLUMNS."""
    fields = dict(zip(ITEM_COLUMNS, values, strict=True))
    fields["created_s"] = fields.pop("created_at")
    fields["attributes"] = attributes_of(fields["attributes"])
    return Item(**fields)


def replay(
    dataset: Dataset,
    items: ItemTable,
    positions: LongArray,
    progress: Progress | None = None,
    refresh_s: float = 28 * DAY_S,
) -> Iterator[Stop]:
    """Fold the events and stop before each of `positions`, in ascending order of position.

    `positions`: int64 (n,) numbers of events, any order, n_events = after the last one. The
    neighbour tables of `items` are rebuilt from the past alone every `refresh_s` of log time (0: at
    every new time), just before the first stop that needs them. A stop is valid until the next one.
    """
    state = Aggregator(items.row_of, items.facts)
    interactions = item_interactions(dataset.events, items)
    times = dataset.events["at"].to_numpy(np.float64)
    source = behavior_events(dataset.events)
    task = progress.add_task("replay", total=int(positions.max(initial=0))) if progress else None
    done, refreshed_s = 0, -np.inf
    for index in np.argsort(positions, kind="stable").tolist():
        position = int(positions[index])
        at_s = float(times[min(position, len(times) - 1)]) if len(times) else 0.0
        if position > done:
            with uncollected():
                fold_all(state, islice(source, position - done), done)
            done = position
            if progress is not None and task is not None:
                progress.update(task, completed=done)
        if len(times) and at_s >= refreshed_s + max(refresh_s, 1.0):
            refreshed_s = at_s - (at_s - times[0]) % refresh_s if refresh_s else at_s
            refresh_neighbors(items, interactions.before(refreshed_s))
            _drop_finished(state, at_s)
        yield Stop(position, at_s, index, state, items)


def fold_all(state: Aggregator, events: Iterable[BehaviorEvent], done: int = 0) -> int:
    """Fold `events`, which follow `done` earlier ones, and return how many are folded now.

    To be called where nothing is collected: see `uncollected`.
    """
    for done, event in enumerate(events, start=done + 1):  # noqa: B020
        state.apply(event, done)
    return done


def refresh_neighbors(items: ItemTable, interactions: Interactions) -> None:
    """Rebuild the neighbour tables of `items` from `interactions`."""
    tables = neighbor_tables(interactions, len(items))
    items.set_neighbors(
        tables.neighbors,
        tables.neighbor_weights,
        tables.basket_neighbors,
        tables.basket_neighbor_weights,
        tables.interaction_counts,
    )


def _drop_finished(state: Aggregator, now_s: float) -> None:
    oldest_s = now_s - SESSION_TTL_S
    for key in [key for key, session in state.sessions.items() if session.last_s < oldest_s]:
        del state.sessions[key]
