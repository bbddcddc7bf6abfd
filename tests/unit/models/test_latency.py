"""What the ranker's last answers say of the next ones."""

import sys

import pytest

from serving.models.latency import LatencyEstimate


class Clock:
    """A clock that a test moves."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def estimate(clock: Clock) -> LatencyEstimate:
    return LatencyEstimate(clock)


def test_nothing_is_limited_while_nothing_is_known(estimate: LatencyEstimate) -> None:
    assert estimate.rows_within(0.001) == sys.maxsize


def test_fixed_time_and_time_for_each_candidate_are_told_apart(estimate: LatencyEstimate) -> None:
    for rows in (10, 50, 100, 200):
        estimate.answered(rows, 0.010 + 0.0002 * rows)
    # 10 ms and 0.2 ms a candidate, with half as much again in reserve.
    assert estimate.rows_within(0.060) == pytest.approx((0.040 - 0.010) / 0.0002, abs=1)
    assert estimate.rows_within(0.010) == 0


def test_answers_of_one_size_are_taken_in_proportion(estimate: LatencyEstimate) -> None:
    for _ in range(5):
        estimate.answered(100, 0.2)
    assert estimate.rows_within(0.15) == pytest.approx(50, abs=1)


def test_more_candidates_that_took_less_time_mean_no_negative_estimate(
    estimate: LatencyEstimate,
) -> None:
    estimate.answered(10, 0.2)
    estimate.answered(200, 0.1)
    assert 0 < estimate.rows_within(0.15) < sys.maxsize


def test_an_answer_that_did_not_come_counts_as_longer_than_its_budget(
    estimate: LatencyEstimate,
) -> None:
    estimate.timed_out(100, 0.1)
    assert estimate.rows_within(0.3) == pytest.approx(100, abs=1)
    estimate.answered(100, 0.9)
    before = estimate.rows_within(0.3)
    estimate.timed_out(100, 0.001)  # an impatient caller does not make the model faster
    assert estimate.rows_within(0.3) <= before


def test_what_was_slow_is_forgotten(estimate: LatencyEstimate, clock: Clock) -> None:
    estimate.answered(100, 3.0)
    assert estimate.rows_within(0.15) < 10
    clock.now_s += 3.0
    for _ in range(3):
        estimate.answered(100, 0.03)
    assert estimate.rows_within(0.15) > 20
    clock.now_s += 30.0
    assert estimate.rows_within(0.001) == sys.maxsize
