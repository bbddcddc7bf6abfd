"""The contract of the pictures, over SQLite and over a real Redis."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from features.pictures.pictures import CLAIMED_S, Pictures, vectors_of
from features.pictures.store import UPLOADED
from features.pictures.store import PictureState as State
from features.store.backends import open_pictures
from features.store.settings import StoreSettings

NOW_S = 1_790_000_000.0
URL, OTHER = "https://cdn.example/tea.jpg", "https://cdn.example/other.jpg"
VECTOR = np.arange(8, dtype=np.float16)


@pytest.fixture
def pictures(settings: StoreSettings) -> Iterator[Pictures]:
    opened = Pictures(open_pictures(settings))
    yield opened
    opened.close()


def state_of(pictures: Pictures, item_id: str) -> State | None:
    row = pictures.get(item_id)
    return None if row is None else row.state


def looked_at(pictures: Pictures, at_s: float = NOW_S) -> None:
    for row in pictures.claim(at_s, 10):
        assert pictures.done(row, VECTOR, "net")


def test_a_url_waits_is_claimed_once_and_gets_its_vector(pictures: Pictures) -> None:
    pictures.expect({"tea": URL, "cup": ""}, NOW_S)
    assert pictures.get("cup") is None
    (row,) = pictures.claim(NOW_S, 10)
    assert (row.item_id, row.origin, row.tries) == ("tea", URL, 1)
    assert pictures.claim(NOW_S, 10) == []
    assert pictures.done(row, VECTOR, "net")
    ready = pictures.get("tea")
    assert ready is not None
    assert (ready.state, ready.encoder, ready.problem) == (State.READY, "net", "")
    np.testing.assert_array_equal(vectors_of([ready], "net", 8), [VECTOR])
    assert not vectors_of([ready], "other net", 8).any()
    assert pictures.counts() == {State.READY: 1}


def test_what_a_worker_took_and_did_not_bring_back_is_due_again(pictures: Pictures) -> None:
    pictures.expect({"tea": URL}, NOW_S)
    (lost,) = pictures.claim(NOW_S, 10)
    assert pictures.claim(NOW_S + CLAIMED_S - 1, 10) == []
    (again,) = pictures.claim(NOW_S + CLAIMED_S, 10)
    assert again.tries == 2
    assert not pictures.done(lost, VECTOR, "net")
    assert pictures.done(again, VECTOR, "net")


def test_the_same_url_is_not_looked_at_again_and_another_one_is(pictures: Pictures) -> None:
    pictures.expect({"tea": URL}, NOW_S)
    looked_at(pictures)
    pictures.expect({"tea": URL}, NOW_S)
    assert state_of(pictures, "tea") is State.READY
    pictures.expect({"tea": OTHER}, NOW_S)
    waiting = pictures.get("tea")
    assert waiting is not None
    assert (waiting.state, waiting.origin, waiting.vector) == (State.WAITING, OTHER, b"")


def test_a_picture_that_changed_while_it_was_looked_at_keeps_no_vector_of_the_old_one(
    pictures: Pictures,
) -> None:
    pictures.expect({"tea": URL}, NOW_S)
    (row,) = pictures.claim(NOW_S, 10)
    pictures.expect({"tea": OTHER}, NOW_S)
    assert not pictures.done(row, VECTOR, "net")
    assert not pictures.failed(row, "not_found", None)
    assert state_of(pictures, "tea") is State.WAITING


def test_bytes_count_before_the_url_until_they_are_taken_back(pictures: Pictures) -> None:
    pictures.expect({"tea": URL}, NOW_S)
    pictures.put("tea", b"canvas", NOW_S)
    pictures.expect({"tea": OTHER}, NOW_S)
    (row,) = pictures.claim(NOW_S, 10)
    assert row.origin == UPLOADED
    assert pictures.canvas("tea") == b"canvas"
    pictures.done(row, VECTOR, "net")
    assert pictures.canvas("tea") == b"canvas"
    pictures.take_back("tea", OTHER, NOW_S)
    assert pictures.canvas("tea") is None
    (row,) = pictures.claim(NOW_S, 10)
    assert row.origin == OTHER
    pictures.take_back("tea", OTHER, NOW_S)  # nothing is there to be taken back
    assert pictures.done(row, VECTOR, "net")


def test_an_item_that_is_gone_takes_its_picture_along(pictures: Pictures) -> None:
    pictures.put("tea", b"canvas", NOW_S)
    pictures.expect({"cup": URL}, NOW_S)
    pictures.drop(["tea", "cup", "who"])
    assert pictures.get("tea") is None
    assert pictures.canvas("tea") is None
    assert pictures.claim(NOW_S, 10) == []
    pictures.expect({"cup": URL}, NOW_S)
    assert state_of(pictures, "cup") is State.WAITING


def test_a_failure_is_told_and_tried_again_when_it_is_due_or_never(pictures: Pictures) -> None:
    pictures.expect({"tea": URL, "cup": OTHER}, NOW_S)
    tea, cup = sorted(pictures.claim(NOW_S, 10), key=lambda row: row.item_id, reverse=True)
    pictures.failed(tea, "too_slow", NOW_S + 60)
    pictures.failed(cup, "not_a_picture", None)
    assert pictures.claim(NOW_S + 59, 10) == []
    assert [row.item_id for row in pictures.claim(NOW_S + 60, 10)] == ["tea"]
    failed = pictures.get("cup")
    assert failed is not None
    assert (failed.state, failed.problem) == (State.FAILED, "not_a_picture")
    assert pictures.claim(NOW_S + 1e9, 1)[0].item_id == "tea"


def test_what_another_encoder_saw_and_what_was_forbidden_is_looked_at_again(
    pictures: Pictures,
) -> None:
    pictures.expect({"tea": URL, "cup": OTHER, "mug": URL}, NOW_S)
    for row in pictures.claim(NOW_S, 10):
        if row.item_id == "tea":
            pictures.done(row, VECTOR, "old")
        else:
            pictures.failed(row, "host_not_allowed" if row.item_id == "cup" else "refused", None)
    assert pictures.renew("old", NOW_S) == 0
    assert pictures.renew("new", NOW_S) == 1
    assert pictures.reconsider("host_not_allowed", NOW_S) == 1
    assert {row.item_id for row in pictures.claim(NOW_S, 10)} == {"tea", "cup"}


def test_replicas_follow_every_change_and_a_restart_sees_all(settings: StoreSettings) -> None:
    one, other = Pictures(open_pictures(settings)), Pictures(open_pictures(settings))
    one.expect({f"i{number}": URL for number in range(7)}, NOW_S)
    first = other.changed_since(0, 3)
    assert len(first.rows) >= 3
    rest = other.changed_since(first.change, 100)
    assert len(first.rows) + len(rest.rows) == 7
    looked_at(one)
    later = other.changed_since(max(first.change, rest.change), 100)
    assert {row.state for row in later.rows} == {State.READY}
    one.drop(["i3"])
    (gone,) = other.changed_since(later.change, 100).rows
    assert (gone.item_id, gone.state) == ("i3", State.GONE)
    one.close()
    assert len(other.changed_since(0, 100).rows) == 7
    other.close()


def test_of_workers_that_claim_at_once_each_gets_others(settings: StoreSettings) -> None:
    stored = [Pictures(open_pictures(settings)) for _ in range(4)]
    stored[0].expect({f"i{number}": URL for number in range(40)}, NOW_S)
    taken: list[str] = []

    def work(pictures: Pictures) -> None:
        while rows := pictures.claim(NOW_S, 3):
            taken.extend(row.item_id for row in rows)

    threads = [threading.Thread(target=work, args=(each,)) for each in stored]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = stored[0].claim(NOW_S, 100)
    taken += [row.item_id for row in left]
    assert sorted(taken) == sorted(f"i{number}" for number in range(40))
    for each in stored:
        each.close()
