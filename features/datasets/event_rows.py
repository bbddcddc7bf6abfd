"""Events as rows of a data set and back: columns of one type each, without None.

What an event does not have is "" for text, 0 for a whole number and NaN for any other; `at_s` is
called `at`, since a data set of others may hold a time as text there. What only travels with an
event, such as its trace, is not in a data set.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import pandas as pd

from features.events.codec import EVENT_FIELDS, EventField, event_record
from features.events.event import BehaviorEvent, EventType

_DTYPES: dict[type, str] = {EventType: "string", str: "string", int: "int64", float: "float64"}
_NONE: dict[type, object] = {str: "", int: 0, float: math.nan}
_TYPES = {str(kind): kind for kind in EventType}


def _column(field: EventField) -> str:
    return "at" if field.name == "at_s" else field.name


_BEHAVIOR = tuple(field for field in EVENT_FIELDS if field.behavior)
EVENT_COLUMNS: dict[str, str] = {_column(field): _DTYPES[field.kind] for field in _BEHAVIOR}


def event_row(event: BehaviorEvent) -> dict[str, object]:
    """The event as a row of EVENT_COLUMNS."""
    record = event_record(event)
    return {
        _column(field): _NONE[field.kind] if record[field.name] is None else record[field.name]
        for field in _BEHAVIOR
    }


def behavior_events(events: pd.DataFrame) -> Iterator[BehaviorEvent]:
    """The rows of a table of EVENT_COLUMNS as events, in their order."""
    # A column at a time, and the constructor called by position: a replay makes millions.
    return map(BehaviorEvent, *(_values(events, field) for field in EVENT_FIELDS))


def _values(events: pd.DataFrame, field: EventField) -> Iterable[Any]:
    if not field.behavior:
        return repeat(None)
    values: list[Any] = events[_column(field)].tolist()
    if field.kind is EventType:
        return [_TYPES[value] for value in values]
    if field.required:
        return values
    if field.kind is float:
        return [value if value == value else None for value in values]  # NaN is not itself
    return [value or None for value in values]
