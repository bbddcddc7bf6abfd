"""The contract of what is read on pictures, over SQLite and over a real Redis."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from features.pictures.pictures import READ_CLAIMED_S, Pictures
from features.pictures.store import NOT_READ, PictureState, Reading
from features.store.backends import open_pictures
from features.store.settings import StoreSettings

NOW_S = 1_790_000_000.0
URL, OTHER = "https://cdn.example/tea.jpg", "https://cdn.example/other.jpg"
VECTOR = np.arange(8, dtype=np.float16)


@pytest.fixture
def pictures(settings: StoreSettings) -> Iterator[Pictures]:
    opened = Pictures(open_pictures(settings))
    opened.expect({"tea": URL, "cup": OTHER}, NOW_S)
    for row in opened.claim(NOW_S, 10):
        assert opened.done(row, VECTOR, "net")
    yield opened
    opened.close()


def reading_of(pictures: Pictures, item_id: str) -> Reading:
    row = pictures.get(item_id)
    assert row is not None
    return row.reading


def test_nobody_reads_what_nobody_asked_for(pictures: Pictures) -> None:
    assert reading_of(pictures, "tea") == NOT_READ
    assert pictures.claim_readings(NOW_S + 1e6, 10) == []
    assert pictures.n_unread() == 0


def test_a_picture_is_claimed_once_and_keeps_what_was_read(
    pictures: Pictures, settings: StoreSettings
) -> None:
    pictures.expect_reading(["tea", "nobody's"], "reader", NOW_S)
    assert pictures.n_unread() == 1
    (row,) = pictures.claim_readings(NOW_S, 10)
    assert (row.item_id, row.reading.tries) == ("tea", 1)
    assert pictures.claim_readings(NOW_S, 10) == []
    assert pictures.read(row, Reading(by="reader", text="green\n绿茶 <b>"))
    assert pictures.n_unread() == 0
    pictures.expect_reading(["tea"], "reader", NOW_S)
    assert pictures.claim_readings(NOW_S, 10) == []
    another = Pictures(open_pictures(settings))
    assert another.texts(["tea", "cup"]) == {"tea": "green\n绿茶 <b>"}
    kept = another.get("tea")
    another.close()
    assert kept is not None
    assert (kept.state, kept.vector) == (PictureState.READY, VECTOR.tobytes())


def test_what_a_worker_took_and_never_told_of_is_due_again(pictures: Pictures) -> None:
    pictures.expect_reading(["tea"], "reader", NOW_S)
    assert pictures.claim_readings(NOW_S, 10)
    assert pictures.claim_readings(NOW_S + READ_CLAIMED_S - 1, 10) == []
    (again,) = pictures.claim_readings(NOW_S + READ_CLAIMED_S, 10)
    assert again.reading.tries == 2


def test_another_picture_has_said_nothing_and_what_was_read_of_the_old_one_is_dropped(
    pictures: Pictures,
) -> None:
    pictures.expect_reading(["tea", "cup"], "reader", NOW_S)
    rows = {row.item_id: row for row in pictures.claim_readings(NOW_S, 10)}
    pictures.expect({"tea": OTHER}, NOW_S)
    pictures.drop(["cup"])
    assert not pictures.read(rows["tea"], Reading(by="reader", text="old"))
    assert not pictures.read(rows["cup"], Reading(by="reader", text="old"))
    assert pictures.texts(["tea", "cup"]) == {}
    assert pictures.n_unread() == 0


def test_what_is_looked_at_again_is_read_when_it_can_be_had(pictures: Pictures) -> None:
    pictures.expect_reading(["tea"], "reader", NOW_S)
    assert pictures.renew("new net", NOW_S) == 2
    assert pictures.claim_readings(NOW_S, 10) == []
    for row in pictures.claim(NOW_S, 10):
        assert pictures.done(row, VECTOR, "new net")
    assert [row.item_id for row in pictures.claim_readings(NOW_S, 10)] == ["tea"]


def test_another_reader_is_asked_for_what_has_a_url(pictures: Pictures) -> None:
    pictures.expect_reading(["tea"], "reader", NOW_S)
    (row,) = pictures.claim_readings(NOW_S, 10)
    pictures.read(row, Reading(by="reader", text="green"))
    pictures.expect_reading(["tea"], "another", NOW_S)
    assert pictures.texts(["tea"]) == {"tea": "green"}  # until it was read again
    assert [row.item_id for row in pictures.claim_readings(NOW_S, 10)] == ["tea"]


def test_a_file_of_before_is_opened_and_keeps_its_vectors(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "pictures.db") as before:
        before.execute(
            "CREATE TABLE pictures (item_id TEXT PRIMARY KEY, origin TEXT NOT NULL, state TEXT NOT "
            "NULL, revision INTEGER NOT NULL, problem TEXT NOT NULL, tries INTEGER NOT NULL, "
            "due_s REAL NOT NULL, encoder TEXT NOT NULL, vector BLOB NOT NULL, change INTEGER "
            "NOT NULL)"
        )
        values = "tea", URL, "ready", 1, "", 1, 0.0, "net", VECTOR.tobytes(), 1
        before.execute("INSERT INTO pictures VALUES (?,?,?,?,?,?,?,?,?,?)", values)
    before.close()
    opened = Pictures(open_pictures(StoreSettings(state=tmp_path)))
    row = opened.get("tea")
    assert row is not None
    assert (row.vector, row.reading) == (VECTOR.tobytes(), NOT_READ)
    opened.expect_reading(["tea"], "reader", NOW_S)
    assert [row.item_id for row in opened.claim_readings(NOW_S, 10)] == ["tea"]
    opened.close()
