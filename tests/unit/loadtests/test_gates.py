"""What a load run fails on, and where it sees the knee."""

import math
from dataclasses import replace

import pytest

from loadtests.load.gates import Limits, broken, knee, past_the_knee
from loadtests.load.ledger import Entry, Figures, Ledger, figures
from loadtests.load.run import Run
from loadtests.load.schedule import Stage

LIMITS = Limits(p99_ms=100, fallback_share=0.01)
GOOD = Figures(
    name="10/s", seconds=100, asked=1000, sent=1000, answered=1000, failed=1, refused=0,
    rankings=400, fallbacks=4, cold_starts=20, p50_ms=20, p90_ms=50, p99_ms=100, max_ms=300,
)  # fmt: skip


def _step(rate: int, p99_ms: float) -> Figures:
    return replace(GOOD, name=f"{rate}/s", asked=100 * rate, sent=100 * rate, p99_ms=p99_ms)


def test_a_run_at_its_limits_passes() -> None:
    assert broken(GOOD, LIMITS) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answered": 0, "rankings": 0}, "no requests"),
        ({"rankings": 0, "fallbacks": 0}, "no rankings"),
        ({"failed": 2}, "failures 0.20%"),
        ({"refused": 2}, "refused (429) 0.20%"),
        ({"p99_ms": 101.0}, "p99 101 ms"),
        ({"p99_ms": math.nan}, "p99 nan ms"),
        ({"fallbacks": 5}, "fallbacks 1.25%"),
        ({"sent": 949}, "sent 94.9%"),
    ],
)
def test_each_limit_fails_the_run_alone(change: dict[str, float], said: str) -> None:
    (reason,) = broken(replace(GOOD, **change), LIMITS)  # type: ignore[arg-type]
    assert reason.startswith(said)


def test_the_knee_is_the_highest_step_that_keeps_the_limits() -> None:
    steps = [_step(10, 40), _step(20, 120), _step(30, 90), _step(40, 300), _step(50, 900)]
    assert knee(steps, LIMITS) == steps[2]
    assert knee(steps[3:], LIMITS) is None


def test_the_search_goes_on_after_one_bad_step_and_ends_after_two() -> None:
    assert not past_the_knee([_step(10, 40), _step(20, 120)], LIMITS)
    assert not past_the_knee([_step(20, 120), _step(30, 90)], LIMITS)
    assert past_the_knee([_step(30, 90), _step(40, 300), _step(50, 900)], LIMITS)


def _figures(*entries: Entry, asked: int) -> Figures:
    ledger = Ledger()
    ledger.add(entries)
    return figures(ledger.table(), "stage", 0.0, 10.0, asked)


def test_latency_counts_from_the_second_a_request_was_due() -> None:
    # Sent four seconds late, answered a tenth of a second after that.
    found = _figures(Entry(1.0, 5.0, 5.1, "rank", "ok", "model"), asked=1)
    assert found.p99_ms == pytest.approx(4100)


def test_what_was_sent_after_the_end_was_asked_for_and_not_achieved() -> None:
    found = _figures(
        Entry(1.0, 1.0, 1.1, "rank", "ok", "model"),
        Entry(9.0, 12.0, 12.1, "rank", "ok", "model"),
        asked=4,  # two never came back
    )
    assert found.achieved_share == 0.25


def test_a_refusal_is_no_failure_and_makes_no_percentile_better() -> None:
    found = _figures(
        Entry(1.0, 1.0, 3.0, "rank", "ok", "model"),
        Entry(2.0, 2.0, 2.001, "rank", "refused", ""),
        Entry(2.0, 2.0, 2.1, "search", "status 503", ""),
        Entry(3.0, 3.0, 3.001, "events", "ok", ""),
        asked=4,
    )
    assert (found.refused, found.failed, found.rankings) == (1, 1, 1)
    assert found.p50_ms == pytest.approx((2000 + 100) / 2)


def test_a_request_counts_for_the_stage_in_which_it_was_due() -> None:
    found = _figures(
        Entry(9.9, 9.9, 15.0, "rank", "ok", "fallback"),
        Entry(10.0, 10.0, 10.1, "rank", "ok", "model"),
        asked=1,
    )
    assert (found.answered, found.fallback_share) == (1, 1.0)


def test_a_step_with_requests_under_way_is_not_judged() -> None:
    stages = [Stage("steady", "judged", 1, 1), Stage("2/s", "step", 1, 2)]
    run = Run("steady", stages, seed=0, limits=LIMITS)
    ledger = Ledger()
    ledger.add([Entry(0.5, 0.5, 0.6, "rank", "ok", "model"),
                Entry(1.5, 1.5, 1.55, "rank", "ok", "model")])  # fmt: skip
    assert run.outcome(ledger.table()).steps == []
    ledger.add([Entry(1.6, 1.6, 1.65, "rank", "ok", "model")])
    outcome = run.outcome(ledger.table())
    assert [step.name for step in outcome.steps] == ["2/s"]
    assert outcome.knee == outcome.steps[0]
    assert run.over(0.0, ledger, grace_s=15)


def test_a_run_that_nobody_answered_has_failed() -> None:
    run = Run("steady", [Stage("steady", "judged", 1, 1)], seed=0, limits=LIMITS)
    assert run.outcome(Ledger().table()).broken == ["no requests"]
    assert not run.over(10.0, Ledger(), grace_s=15)
    assert run.over(16.1, Ledger(), grace_s=15)
