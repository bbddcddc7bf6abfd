"""Events as rows of a data set, and back."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd

from features.datasets.columns import conform
from features.datasets.event_rows import EVENT_COLUMNS, behavior_events, event_row
from features.events.event import BehaviorEvent, EventType

ROOT = Path(__file__).resolve().parents[3]
FULL = BehaviorEvent("e1", EventType.DWELL, 5.0, "u", "s", "i", "tea", "r1", 3, 9.5, 12_000)
BARE = BehaviorEvent("e2", EventType.SEARCH, 6.0)


def test_the_columns_of_a_data_set_are_what_the_documentation_names() -> None:
    page = (ROOT / "docs" / "data.md").read_text()
    table = page[page.index("| `event_id` |") :].split("\n\n")[0]
    named = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, re.MULTILINE)
    assert [name.strip("`") for cell in named for name in cell.split(", ")] == list(EVENT_COLUMNS)


def test_events_survive_a_data_set_but_for_their_traces() -> None:
    traced = replace(FULL, traceparent="00-a-b-01")
    table = conform(pd.DataFrame([event_row(traced), event_row(BARE)]), EVENT_COLUMNS)
    assert list(behavior_events(table)) == [FULL, BARE]


def test_a_table_without_events_has_none() -> None:
    assert list(behavior_events(conform(pd.DataFrame(), EVENT_COLUMNS))) == []
