"""The fields of an event are declared once: what stores make of them comes back whole."""

import sqlite3
from dataclasses import fields
from pathlib import Path

import pytest

from features.events.codec import FIELD_NAMES, event_of, event_record
from features.events.event import BehaviorEvent, EventType
from features.events.sqlite_log import SqliteEventLog

FULL = BehaviorEvent(
    "e1", EventType.PURCHASE, 5.0, "u", "s", "i", "tea", "r1", 3, 9.5, 12_000, "00-a-b-01"
)
BARE = BehaviorEvent("e2", EventType.SEARCH, 6.0)


def test_the_fields_are_those_of_the_event_in_its_order() -> None:
    assert tuple(field.name for field in fields(BehaviorEvent)) == FIELD_NAMES


@pytest.mark.parametrize("event", [FULL, BARE])
def test_an_event_survives_its_record(event: BehaviorEvent) -> None:
    record = event_record(event)
    assert type(record["type"]) is str
    assert event_of(record) == event


def test_a_record_of_before_a_field_existed_has_its_default() -> None:
    record = event_record(FULL)
    del record["dwell_ms"], record["traceparent"]
    assert event_of(record).dwell_ms is None


def test_what_is_no_field_and_no_type_is_refused() -> None:
    with pytest.raises(TypeError):
        event_of({**event_record(FULL), "colour": "red"})
    with pytest.raises(ValueError, match="nap"):
        event_of({**event_record(FULL), "type": "nap"})


# As logs of before the columns were derived have it, and of before there were traces.
OLD_TABLE = """
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, type TEXT NOT NULL,
  at_s REAL NOT NULL, user_id TEXT, session_id TEXT, item_id TEXT, query TEXT, ranking_id TEXT,
  position INTEGER, value REAL, dwell_ms INTEGER, logged_s REAL NOT NULL{}
)
"""


@pytest.mark.parametrize("last", ["", ", traceparent TEXT"])
def test_a_log_of_an_earlier_version_is_read_and_written(tmp_path: Path, last: str) -> None:
    path = tmp_path / "events.db"
    old = sqlite3.connect(path)
    old.execute(OLD_TABLE.format(last))
    old.execute(
        "INSERT INTO events (event_id, type, at_s, position, logged_s) "
        "VALUES ('e0', 'click', 4.0, 2, 4.5)"
    )
    old.commit()
    old.close()
    log = SqliteEventLog(path)
    log.append([FULL, BARE])
    entries = [entry for _, entry in log.read(0, 10)]
    assert entries == [BehaviorEvent("e0", EventType.CLICK, 4.0, position=2), FULL, BARE]
    assert log.logged_s(1) == 4.5
    log.close()
