"""Requests are due when the schedule says, whatever the server does."""

import numpy as np
import pytest

from loadtests.load.schedule import (
    SHAPES,
    Stage,
    arrivals,
    capacity_stages,
    pace,
    shape_stages,
    starts,
)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_asks_for_exactly_its_rate(shape: str) -> None:
    stages = shape_stages(shape, 20, 60)
    due = arrivals(stages, seed=1)
    assert (np.diff(due) >= 0).all()
    counts, _ = np.histogram(due, starts(stages))
    assert counts.tolist() == [stage.asked for stage in stages]
    judged = [stage for stage in stages if stage.purpose == "judged"]
    assert sum(stage.seconds for stage in judged) == pytest.approx(60)


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="steady, ramp"):
        shape_stages("zigzag", 20, 60)


def test_arrivals_come_as_chance_has_it_not_evenly() -> None:
    gaps = np.diff(arrivals([Stage("steady", "judged", 1000, 10)], seed=0))
    # Exponential gaps: their deviation is their mean.
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)


def test_the_same_seed_gives_the_same_schedule_and_another_seed_another() -> None:
    stages = shape_stages("steady", 20, 60)
    assert (arrivals(stages, 1) == arrivals(stages, 1)).all()
    assert (arrivals(stages, 1) != arrivals(stages, 2)).any()


def test_a_ramp_has_a_quarter_of_its_requests_in_its_first_half() -> None:
    due = arrivals([Stage("ramp", "judged", 100, 100, rate_before=0)], seed=0)
    assert (due < 50).mean() == pytest.approx(0.25, abs=0.02)


def test_a_spike_is_three_times_the_rate_for_a_fifth_of_the_time() -> None:
    _, before, spike, after = shape_stages("spike", 10, 100)
    assert (before.asked, spike.asked, after.asked) == (400, 600, 400)


def test_capacity_steps_rise_and_rest_between() -> None:
    stages = capacity_stages(10, 15, 1.5)
    assert [stage.rate for stage in stages[:6]] == [0, 10, 0, 15, 0, 22.5]


class _Clock:
    """Time that passes only by sleeping and sending."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_a_late_request_goes_at_once_and_keeps_the_second_it_was_due() -> None:
    clock, sent = _Clock(), []

    def send(due_s: float) -> None:
        sent.append((due_s, clock.now_s))
        if due_s == 1.0:
            clock.sleep(2.5)  # the generator itself was held up

    pace([1.0, 2.0, 3.0, 5.0], lambda: clock.now_s, clock.sleep, send)
    assert sent == [(1.0, 1.0), (2.0, 3.5), (3.0, 3.5), (5.0, 5.0)]
