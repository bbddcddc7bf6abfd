"""A thread that repeats its work: it outlives what fails, is woken, and ends when it is told."""

import itertools
import logging
import queue
import time

import pytest

from serving.background import Background

_LOG = logging.getLogger("vitrine.test")
LONG_S = 60.0


def test_work_that_fails_is_told_and_done_again(caplog: pytest.LogCaptureFixture) -> None:
    done: queue.Queue[int] = queue.Queue()
    turns = itertools.count()

    def work() -> None:
        turn = next(turns)
        done.put(turn)
        if turn == 0:
            raise OSError("the store is away")

    thread = Background("work", work, 0.01, _LOG, "the work is not done")
    thread.start()
    assert [done.get(timeout=5), done.get(timeout=5)] == [0, 1]
    thread.stop()
    assert not thread.running
    (told,) = [each for each in caplog.records if each.name == "vitrine.test"]
    assert told.getMessage() == "the work is not done; trying again"
    assert told.exc_info is not None


def test_a_long_rest_is_ended_by_who_wakes_and_by_who_stops() -> None:
    done: queue.Queue[float] = queue.Queue()
    thread = Background("work", lambda: done.put(time.monotonic()), LONG_S, _LOG, "failed")
    thread.start()
    done.get(timeout=5)
    thread.wake()
    done.get(timeout=5)
    began_s = time.monotonic()
    thread.stop()
    thread.stop()
    assert not thread.running
    assert time.monotonic() - began_s < 4
    assert done.empty()


def test_the_first_turn_may_wait_and_a_stop_before_it_has_none() -> None:
    done: queue.Queue[int] = queue.Queue()
    thread = Background("work", lambda: done.put(1), 0.01, _LOG, "failed", first_s=LONG_S)
    thread.start()
    time.sleep(0.05)
    assert thread.running
    thread.stop()
    assert thread.stopping
    assert done.empty()


def test_a_stop_without_a_start_is_no_error() -> None:
    Background("work", lambda: None, 1.0, _LOG, "failed").stop()
