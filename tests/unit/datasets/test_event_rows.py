"""Events as rows of a data set, and back."""

from dataclasses import replace

import pandas as pd

from features.datasets.columns import conform
from features.datasets.event_rows import EVENT_COLUMNS, behavior_events, event_row
from features.events.event import BehaviorEvent, EventType

FULL = BehaviorEvent("e1", EventType.DWELL, 5.0, "u", "s", "i", "tea", "r1", 3, 9.5, 12_000)
BARE = BehaviorEvent("e2", EventType.SEARCH, 6.0)


def test_the_columns_of_a_data_set_are_what_the_documentation_names() -> None:
    assert list(EVENT_COLUMNS) == [
        "event_id", "type", "at", "user_id", "session_id", "item_id", "query", "ranking_id",
        "position", "value", "dwell_ms",
    ]  # fmt: skip


def test_events_survive_a_data_set_but_for_their_traces() -> None:
    traced = replace(FULL, traceparent="00-a-b-01")
    table = conform(pd.DataFrame([event_row(traced), event_row(BARE)]), EVENT_COLUMNS)
    assert list(behavior_events(table)) == [FULL, BARE]


def test_a_table_without_events_has_none() -> None:
    assert list(behavior_events(conform(pd.DataFrame(), EVENT_COLUMNS))) == []
