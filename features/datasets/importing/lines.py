"""Rows of a data set as lines of the wire, and where a row came from."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pandas as pd

from features.datasets.event_rows import behavior_events
from features.datasets.format import Dataset, own_table, read_table
from features.datasets.item_details import attributes_of
from features.events.codec import EVENT_FIELDS

_NAMES = tuple(each.name for each in EVENT_FIELDS if each.behavior and each.name != "at_s")


def event_lines(events: pd.DataFrame) -> Iterator[bytes]:
    """The rows as POST /v1/events/import takes them; times to the microsecond."""
    for event in behavior_events(events):
        told: dict[str, Any] = {"at": datetime.fromtimestamp(event.at_s, UTC)}
        for name in _NAMES:
            value = getattr(event, name)
            if value is not None:
                told[name] = value
        yield orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def item_lines(items: pd.DataFrame) -> Iterator[bytes]:
    """The rows as POST /v1/items/import takes them."""
    for row in items.to_dict("records"):
        told = {str(name): value for name, value in row.items() if not _is_nothing(value)}
        if "created_at" in told:
            told["created_at"] = datetime.fromtimestamp(told["created_at"], UTC)
        if "attributes" in told:
            told["attributes"] = attributes_of(told["attributes"])
        yield orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def place_of(dataset: Dataset, event_id: str) -> str:
    """The file and line, or row, of an event; where the files are of another system, its id."""
    own = own_table(dataset.folder, "events") if dataset.folder.is_dir() else None
    if own is None:
        return f"{dataset.folder}: event {event_id!r}"
    if event_id.startswith("row-"):  # see features.datasets.format.checked
        row = int(event_id.split("-")[1])
    else:
        row = int((read_table(own, "events")["event_id"] == event_id).to_numpy().argmax())
    return f"{own}: {'line' if own.suffix == '.jsonl' else 'row'} {row + 1}"


def _is_nothing(value: object) -> bool:
    return value == "" or (isinstance(value, float) and math.isnan(value))
