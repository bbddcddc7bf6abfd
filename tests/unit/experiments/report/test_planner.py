"""How many shoppers are needed."""

from dataclasses import replace

import pytest

from serving.experiments.statistics.planner import Question, plan, power

QUESTION = Question(mean=2.0, deviation=5.0, lift=0.05)


def test_the_plan_is_the_least_number_with_the_asked_power() -> None:
    for question in (QUESTION, replace(QUESTION, looks="once"), replace(QUESTION, share=0.1)):
        n = plan(question).shoppers
        assert power(question, n) >= 0.8
        assert power(question, n - 1) < 0.8


def test_read_once_it_is_the_number_of_the_textbooks() -> None:
    """16 s^2 / d^2 an arm (van Belle), with the spread grown by the lift."""
    n = plan(replace(QUESTION, looks="once")).shoppers
    assert n == pytest.approx(2 * 15.7 * (5.0 * 1.05 / (0.05 * 2.0)) ** 2, rel=0.01)


def test_a_past_that_explains_forty_percent_saves_more_than_a_third_of_the_shoppers() -> None:
    told = plan(replace(QUESTION, saved=0.4))
    assert told.shoppers < 0.65 * told.shoppers_without_past
    assert told.shoppers_without_past == plan(QUESTION).shoppers


def test_looking_daily_costs_shoppers_and_a_smaller_lift_costs_more() -> None:
    once = plan(replace(QUESTION, looks="once")).shoppers
    assert plan(QUESTION).shoppers > 1.3 * once
    assert plan(replace(QUESTION, looks="once", lift=0.025)).shoppers > 3.5 * once


def test_days_follow_from_the_shoppers_of_a_day() -> None:
    told = plan(QUESTION)
    assert told.days(1_000) == pytest.approx(told.shoppers / 1_000)
    with pytest.raises(ValueError, match="shoppers_per_day"):
        told.days(0)


@pytest.mark.parametrize(
    ("field", "value"),
    [("alpha", 0.0), ("power", 1.0), ("mean", 0.0), ("deviation", -1.0), ("share", 1.0),
     ("saved", 1.0), ("lift", 0.0), ("lift", -1.0), ("mean", float("nan"))],
)  # fmt: skip
def test_a_question_without_an_answer_is_refused_by_its_field(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        Question(**{"mean": 2.0, "deviation": 5.0, "lift": 0.05, field: value})  # type: ignore[arg-type]


def test_a_lift_too_small_to_be_found_is_said() -> None:
    with pytest.raises(ValueError, match="lift"):
        plan(replace(QUESTION, lift=1e-7))
