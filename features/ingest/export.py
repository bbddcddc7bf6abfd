"""What a running shop has collected, as a data set: to train on, to evaluate, to find what goes
together.

    python -m features.ingest.export --state .vitrine/grocery --out build/collected

Ids of shoppers are the pseudonyms that are stored. The folder is noted, and an erasure reaches it
as long as ingest finds it there; a copy elsewhere it does not reach: delete that when you are done.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pandas as pd

from features.catalog.item import Item
from features.controls.exports import Exports
from features.datasets.columns import ITEM_COLUMNS, conform
from features.datasets.event_rows import EVENT_COLUMNS, event_row
from features.datasets.format import Dataset, DatasetInfo, write_dataset
from features.events.log import Erasure, EventLog, every_event
from features.ingest.export_rankings import FILE, write_rankings
from features.store.archive import Archive
from features.store.backends import open_catalog, open_controls, open_event_log
from features.store.chosen import add_store, store_of
from features.store.learnt import learnt_from
from features.store.settings import StoreSettings

_ROWS = 10_000  # entries read at once
_TRIES = 5


def collected(store: StoreSettings) -> Dataset:
    """The catalogue as it is and every event of the archive and the log, in order of time."""
    log, catalog = open_event_log(store), open_catalog(store)
    learnt = learnt_from(store)
    try:
        rows = [
            event_row(event)
            for event in every_event(log)
            if learnt(event.user_id, event.session_id)
        ]
        items = pd.DataFrame([_item_row(item) for item in catalog.all()], columns=[*ITEM_COLUMNS])
    finally:
        log.close()
        catalog.close()
    events = pd.DataFrame(rows, columns=[*EVENT_COLUMNS])
    if store.archive:
        archived = Archive(store.archive).events()
        whose = zip(archived["user_id"].tolist(), archived["session_id"].tolist(), strict=True)
        archived = archived[[learnt(*each) for each in whose]]
        # What is in both is the same event.
        events = pd.concat([archived, conform(events, EVENT_COLUMNS)]).drop_duplicates("event_id")
    events = events.sort_values("at", kind="stable")
    return Dataset(
        info=DatasetInfo(
            name="collected",
            source="this shop's own event log",
            currency=store.prices.currency,
            rates=store.prices.rates,
        ),
        items=conform(items, ITEM_COLUMNS),
        events=conform(events, EVENT_COLUMNS).reset_index(drop=True),
    )


def _item_row(item: Item) -> dict[str, object]:
    named = {name: getattr(item, name) for name in ITEM_COLUMNS if name != "created_at"}
    return {**named, "created_at": item.created_s}


def erased_since(log: EventLog, seq: int) -> bool:
    """Whether anything was erased behind a position: what was read before may have it still.

    An entry that is carried out leaves an empty position in some logs.
    """
    until = log.last_seq()
    while seq < until and (entries := log.read(seq, _ROWS)):
        for at, entry in entries:
            if at != seq + 1 or isinstance(entry, Erasure):
                return True
            seq = at
    return seq < until


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status; 2 with one line when there is nothing to export, 1 when erasures keep
    coming."""
    parser = argparse.ArgumentParser(prog="python -m features.ingest.export", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_store(parser)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        store = store_of(given)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    with closing(open_controls(store)) as controls:
        Exports(controls).note(given.out, time.time())  # first: an erasure reaches what is there
    with closing(open_event_log(store)) as log:
        for _ in range(_TRIES):
            since = log.last_seq()
            dataset = collected(store)
            if dataset.events.empty:
                whose = given.store or store.log_path
                print(f"{whose}: the log holds no event to export", file=sys.stderr)
                return 2
            write_dataset(dataset, given.out)
            shown = write_rankings(store, given.out / FILE, learnt_from(store))
            if not erased_since(log, since):
                break
            print("somebody was erased meanwhile: once more", file=sys.stderr)
        else:
            print(f"{given.out}: delete it; at each try somebody was erased", file=sys.stderr)
            return 1
    print(
        f"{given.out}: {len(dataset.events)} events, {len(dataset.items)} items, {shown} rankings"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
