"""Fill an empty store from a data set: what a shop knows on its first day."""

import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from rich.console import Console

from features.behavior.neighbor_file import write_neighbors
from features.behavior.neighbors import item_interactions, neighbor_tables
from features.behavior.replay import item_table
from features.catalog.table import ItemTable
from features.datasets.format import Dataset
from features.datasets.registry import load
from features.datasets.replay import shift_to_now
from features.store.bootstrap import bootstrap
from features.store.settings import StoreSettings
from features.telemetry.progress import StepProgress, waiting
from serving.shops.pseudonyms import Pseudonyms

BESIDE = 5  # niceness of what is done beside the replay


def read_source(source: str, cache: Path, n_items: int) -> tuple[Dataset, ItemTable]:
    """A data set (features.datasets.registry.load) moved to now if it asks for that; its items."""
    dataset = load(source, cache, n_items)
    if dataset.info.replay == "shift_to_now":
        dataset = shift_to_now(dataset, time.time())
    return dataset, item_table(dataset)


def write_item_texts(items: ItemTable, path: Path) -> None:
    """JSON lines of the texts that the model reads: what publishing encodes beforehand."""
    part = path.with_suffix(".part")
    part.write_text("".join(json.dumps(item.ranker_text) + "\n" for item in items.items))
    part.replace(path)


def seed(
    dataset: Dataset,
    items: ItemTable,
    store: StoreSettings,
    pseudonyms: Pseudonyms,
    neighbors: Path,
    console: Console,
) -> None:
    """Catalogue, features, snapshots and the item-to-item tables; raises BootstrapError."""
    log = item_interactions(dataset.events, items)
    # In a process of its own, for SciPy's linear algebra holds Python's lock, and behind the
    # replay, which takes longer than what is done beside it.
    spawn = get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=os.nice, initargs=(BESIDE,)) as pool:
        found = pool.submit(neighbor_tables, log, len(items))
        with StepProgress(console, transient=True) as progress:
            bootstrap(pseudonymous(dataset, pseudonyms), store, time.time(), progress)
        with waiting(console, "finding which items go together"):
            write_neighbors(neighbors, items.item_ids, found.result())


def pseudonymous(dataset: Dataset, pseudonyms: Pseudonyms) -> Dataset:
    """The data set with the pseudonyms that the ingress would have stored."""
    events = dataset.events.copy()
    for column, pseudonym in (("user_id", pseudonyms.user), ("session_id", pseudonyms.session)):
        codes, ids = pd.factorize(events[column])
        names = [pseudonym(raw) if raw else "" for raw in ids]
        events[column] = pd.Series(names, dtype=object).take(codes).to_numpy()
    return replace(dataset, events=events)
