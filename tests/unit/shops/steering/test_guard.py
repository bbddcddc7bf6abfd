"""An arm is stopped when it is surely worse than its guard allows, and not by bad luck."""

import random

import pytest

from serving.shops.steering.counts import PROMOTED, Ranked, field
from serving.shops.steering.guard import breach
from serving.shops.steering.policy import Guard
from serving.shops.steering.tally import Tally
from serving.types import Reason, Route
from tests.support.fakes import FakeControls

MINUTE = 29_000_000
GUARD = Guard()


class Counted:
    """What replicas told of an experiment, minute by minute."""

    def __init__(self) -> None:
        self.controls = FakeControls()

    def add(
        self, arm: str, n: int, fallbacks: int = 0, seconds: float = 0.01, not_loaded: int = 0,
        ago: int = 0, epoch_ms: int = 0,
    ) -> None:  # fmt: skip
        tally = Tally(lambda _: epoch_ms, lambda: (MINUTE - ago) * 60.0)
        for number in range(n):
            route = Route.FALLBACK if number < fallbacks else Route.MODEL
            reason = Reason.VERSION_NOT_LOADED if fallbacks <= number < not_loaded else None
            model_s = None if route is Route.FALLBACK else seconds * (0.8 + 0.4 * (number % 2))
            tally.ranked([("ranker", arm)], route, reason, model_s)
        tally.tell(self.controls)

    def why(
        self, arm: str = "new", control: str | None = "old", guard: Guard = GUARD,
        before: Ranked | None = None, epoch_ms: int = 0,
    ) -> str | None:  # fmt: skip
        minutes = self.controls.read("ranker", MINUTE - 59)
        return breach(guard, [arm], control, before or Ranked(), minutes, MINUTE, epoch_ms)


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_an_arm_that_falls_back_far_more_often_is_stopped_with_the_figures(
    counted: Counted,
) -> None:
    counted.add("old", 400, fallbacks=4)
    counted.add("new", 400, fallbacks=80)
    assert counted.why() == (
        "new: 20.0% of 400 rankings are fallbacks, 1.0% of control's; 5.0% more are allowed "
        "(within 2 minutes)"
    )


def test_what_hurts_control_as_well_is_not_the_arms_fault(counted: Counted) -> None:
    counted.add("old", 400, fallbacks=390)
    counted.add("new", 400, fallbacks=400)
    assert counted.why() is None


def test_nothing_is_said_of_few_rankings(counted: Counted) -> None:
    counted.add("old", 400)
    counted.add("new", 199, fallbacks=199)
    assert counted.why() is None
    counted.add("new", 1, fallbacks=1)
    assert counted.why() is not None


def test_new_shoppers_say_nothing_of_the_model(counted: Counted) -> None:
    tally = Tally(clock=lambda: MINUTE * 60.0)
    for _ in range(1_000):
        tally.ranked([("ranker", "new")], Route.COLD_START, Reason.NEW_SHOPPER, None)
    tally.tell(counted.controls)
    counted.add("new", 199, fallbacks=199)
    assert counted.why() is None


def test_an_arm_whose_model_takes_much_longer_is_stopped(counted: Counted) -> None:
    counted.add("old", 300, seconds=0.02)
    counted.add("new", 300, seconds=0.04)
    why = counted.why()
    assert why is not None
    assert why.startswith("new: its model takes 39 ms, control's 20; 1.5 times as long is allowed")
    assert counted.why(guard=Guard(model_time=2.5)) is None


def test_milliseconds_that_nobody_feels_are_no_reason(counted: Counted) -> None:
    counted.add("old", 300, seconds=0.001)
    counted.add("new", 300, seconds=0.004)
    assert counted.why() is None


def test_a_slow_first_answer_is_no_reason(counted: Counted) -> None:
    counted.add("old", 300, seconds=0.02)
    counted.add("new", 300, seconds=0.02)
    counted.add("new", 12, seconds=2.0)
    assert counted.why() is None


def test_a_version_that_is_not_loaded_stops_what_cannot_be_read(counted: Counted) -> None:
    counted.add("old", 300)
    counted.add("new", 300, not_loaded=60)
    why = counted.why()
    assert why is not None
    assert "its version was not loaded for 20.0% of 300 rankings, more than 10.0%" in why
    assert counted.why(guard=Guard(not_loaded=0.5)) is None


def test_a_failure_of_this_minute_is_seen_though_all_was_well_for_an_hour(counted: Counted) -> None:
    for ago in range(2, 60):
        counted.add("old", 300, ago=ago)
        counted.add("new", 300, ago=ago)
    counted.add("old", 300)
    counted.add("new", 300, fallbacks=100)
    assert counted.why() is not None


def test_a_quiet_shop_is_judged_by_the_hour(counted: Counted) -> None:
    for ago in range(50):
        counted.add("old", 6, ago=ago)
        counted.add("new", 6, fallbacks=3, ago=ago)
    why = counted.why()
    assert why is not None
    assert "(within 60 minutes)" in why


def test_what_was_counted_before_the_last_decision_is_not_judged(counted: Counted) -> None:
    counted.add("old", 400)
    counted.add("new", 400, fallbacks=400)
    assert counted.why(epoch_ms=17) is None
    counted.add("old", 400, epoch_ms=17)
    counted.add("new", 400, fallbacks=300, epoch_ms=17)
    assert counted.why(epoch_ms=17) is not None


def test_a_promoted_arm_is_compared_with_what_control_did_before(counted: Counted) -> None:
    before = Ranked()
    before.rankings = before.asked = 1_000
    before.fallbacks = 200
    for _ in range(800):
        before.answered(0.02)
    counted.add(PROMOTED + "new", 400, fallbacks=80, seconds=0.02)
    assert counted.why(PROMOTED + "new", None, before=before) is None
    assert counted.why(PROMOTED + "new", None) is not None  # nothing is known of before
    counted.add(PROMOTED + "new", 800, seconds=0.05)
    why = counted.why(PROMOTED + "new", None, before=before)
    assert why is not None
    assert why.startswith("new: its model takes")


def test_an_arm_as_good_as_control_is_not_stopped_by_chance() -> None:
    """Looked at after every 20 rankings, in 200 experiments of 1,000 rankings with 3 % fallbacks
    and model times that vary threefold."""
    draw = random.Random(5)
    stopped = 0
    for _ in range(200):
        sums: dict[str, Ranked] = {"old": Ranked(), "new": Ranked()}
        for looked in range(50):
            for ranked in sums.values():
                for _ in range(20):
                    ranked.rankings += 1
                    ranked.asked += 1
                    if draw.random() < 0.03:
                        ranked.fallbacks += 1
                    else:
                        ranked.answered(0.02 * 3 ** draw.gauss(0, 1))
            counts = {
                field(0, arm, name): value
                for arm, ranked in sums.items()
                for name, value in ranked.counts.items()
            }
            if breach(GUARD, ["new"], "old", Ranked(), {MINUTE: counts}, MINUTE, 0):
                stopped += 1
                break
            assert looked < 50
    assert stopped == 0
