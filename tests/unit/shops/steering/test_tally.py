"""Counts of replicas: all arrive, none twice, and they cost a ranking next to nothing."""

import time
import timeit

import pytest

from serving.shops.steering.counts import Ranked, by_arm, of_shadow
from serving.shops.steering.tally import Tally, tried
from serving.types import Reason, Route
from tests.support.fakes import FakeControls

MINUTE = 29_000_000
BOTH = [("ranker", "new"), ("rows", ":spread")]


def tally() -> Tally:
    return Tally(clock=lambda: MINUTE * 60.0)


def test_what_two_replicas_count_adds_up() -> None:
    controls = FakeControls()
    for seconds in (0.01, 0.03):
        replica = tally()
        replica.ranked(BOTH, Route.MODEL, None, seconds)
        replica.ranked(BOTH[:1], Route.FALLBACK, Reason.DEADLINE, None)
        replica.tell(controls)
    new = by_arm(controls.read("ranker", 0), 0)["new"]
    assert (new.rankings, new.asked, new.fallbacks, new.timed) == (4, 4, 2, 2)
    assert new.mean_s == pytest.approx(0.02)
    assert by_arm(controls.read("rows", 0), 0)[":spread"].rankings == 2


def test_what_is_told_is_told_once() -> None:
    controls, replica = FakeControls(), tally()
    replica.ranked(BOTH, Route.MODEL, None, 0.01)
    replica.compared("try", "ok", 0.7)
    for _ in range(2):
        replica.tell(controls)
    assert by_arm(controls.read("ranker", 0), 0)["new"].rankings == 1
    assert of_shadow(controls.read("try", 0), 0) == {"outcome:ok": 1, "overlap": 0.7}


def test_what_a_store_that_is_down_does_not_take_is_told_later() -> None:
    controls, replica = FakeControls(), tally()
    replica.ranked(BOTH, Route.MODEL, None, 0.01)
    replica.compared("try", "ok", 0.7)
    controls.error = OSError("down")
    assert replica.tell(controls) == {}
    replica.ranked(BOTH, Route.MODEL, None, 0.01)
    controls.error = None
    assert replica.tell(controls).keys() == {"try"}
    assert by_arm(controls.read("ranker", 0), 0)["new"].rankings == 2
    assert of_shadow(controls.read("try", 0), 0)["outcome:ok"] == 1


def test_a_gate_counts_what_was_tried_and_what_failed() -> None:
    replica = tally()
    for outcome in ("ok", "ok", "busy", "not_by_model", "deadline", "version_not_loaded"):
        replica.compared("try", outcome, 0.5 if outcome == "ok" else 0.0)
    counts = replica.tell(FakeControls())["try"]
    assert tried(counts) == {"compared": 2, "failed": 2, "overlap": 1}


def test_quantiles_are_those_of_the_buckets() -> None:
    ranked = Ranked()
    assert ranked.quantile_s(0.5) is None
    for number in range(100):
        ranked.answered(0.011 if number < 90 else 0.4)
    median, high = ranked.quantile_s(0.5), ranked.quantile_s(0.99)
    assert median is not None
    assert high is not None
    assert 0.01 <= median <= 0.02
    assert 0.25 <= high <= 0.5


def test_counting_a_ranking_costs_microseconds_of_processor_time() -> None:
    replica = tally()
    arms = BOTH[:1]
    runs = timeit.repeat(
        lambda: replica.ranked(arms, Route.MODEL, None, 0.0123),
        timer=time.process_time, number=1_000, repeat=15,
    )  # fmt: skip
    assert min(runs) / 1_000 <= 10e-6
