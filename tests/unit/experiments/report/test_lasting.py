"""A lift that wears off is told, and does not promote an arm."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from serving.experiments.report.metrics import REWARD, Metric
from serving.experiments.report.plan import Data, Plan
from serving.experiments.report.reading import read
from serving.experiments.report.result import ArmReading
from serving.experiments.report.shoppers import DAY_S, ExperimentDataError, shoppers
from serving.experiments.report.table import show

T = 20_000 * DAY_S
DAYS = 21
UNTIL = T + DAYS * DAY_S


def shop(lift: np.ndarray, n: int = 8_000, young: bool = False) -> Data:
    """Shoppers who come in the first days; `lift` (DAYS,) of each day after exposure."""
    rng = np.random.default_rng(5)
    treated = rng.random(n) < 0.5
    at = T + rng.random(n) * 6 * DAY_S + (14 * DAY_S if young else 0)
    rate = rng.gamma(2.0, 0.5, n)
    done = rng.poisson(rate[:, None] * (1 + lift * treated[:, None])).astype(float)
    row, day = np.nonzero(done)
    exposures = pd.DataFrame(
        {"unit": np.arange(n), "arm": np.where(treated, "new", "old"), "first_exposed_s": at}
    )
    outcomes = {"unit": row, "at_s": at[row] + (day + 0.5) * DAY_S, "reward": done[row, day]}
    return Data(exposures, pd.DataFrame(outcomes))


def arm(data: Data, deciding: Metric = REWARD) -> ArmReading:
    plan = Plan(
        "ranker", "old", {"old": 1.0, "new": 1.0}, deciding, others=(), guard_rails=(),
        by_day=False,
    )  # fmt: skip
    reading = read(plan, data, UNTIL)
    show(reading, Console(file=io.StringIO()))
    return reading.arms[0]


FADING = 0.4 * 0.5 ** (np.arange(DAYS) / 2)


def test_a_lift_that_wears_off_is_told_and_does_not_promote() -> None:
    told = arm(shop(FADING))
    assert told.deciding.finding == "better"
    assert told.lasting is not None
    assert told.lasting.finding == "falls"
    assert told.lasting.low < told.lasting.change < told.lasting.high < 0
    first, later = told.others
    assert (first.segment, first.finding) == ("first 7 days", "better")
    assert (later.segment, later.finding) == ("later days", "open")
    assert told.verdict.word == "open"
    assert "less in a shopper's later days" in told.verdict.sentence


def test_a_lift_that_lasts_promotes_without_a_word_of_it() -> None:
    told = arm(shop(np.full(DAYS, 0.2)))
    assert told.lasting is not None
    assert told.lasting.finding == "open"
    assert told.verdict.word == "better"
    assert "later" not in told.verdict.sentence


def test_a_lift_that_shrinks_to_one_that_is_surely_there_promotes_and_says_so() -> None:
    told = arm(shop(np.where(np.arange(DAYS) < 7, 0.8, 0.25)))
    assert told.lasting is not None
    assert told.lasting.finding == "falls"
    assert told.verdict.word == "better"
    assert "less in a shopper's later days" in told.verdict.sentence


def test_a_lift_that_grows_is_told_and_promotes() -> None:
    told = arm(shop(np.where(np.arange(DAYS) < 7, 0.0, 0.4)))
    assert told.lasting is not None
    assert told.lasting.finding == "rises"
    assert told.verdict.word == "better"
    assert "less" not in told.verdict.sentence


def test_where_less_is_better_a_gain_that_wears_off_rises() -> None:
    less = REWARD.model_copy(update={"less_is_better": True})
    told = arm(shop(-FADING), less)
    assert told.deciding.finding == "better"
    assert told.lasting is not None
    assert told.lasting.finding == "rises"
    assert told.verdict.word == "open"


def test_before_shoppers_have_later_days_nothing_is_said_of_them() -> None:
    told = arm(shop(np.full(DAYS, 0.4), young=True))
    assert told.lasting is None
    assert told.others == ()
    assert told.verdict.word == "better"


def test_the_first_days_are_each_shoppers_own() -> None:
    exposures = pd.DataFrame(
        {"unit": ["ann", "bob"], "arm": ["old", "new"], "first_exposed_s": [T, T + 5 * DAY_S]}
    )
    times = [(unit, T + day * DAY_S) for unit in ("ann", "bob") for day in range(10)]
    outcomes = pd.DataFrame(times, columns=["unit", "at_s"]).assign(reward=1.0)
    found = shoppers(exposures, outcomes, ["reward"], UNTIL, first_days=3).table.set_index("unit")
    assert found["first_reward"].to_dict() == {"ann": 3.0, "bob": 3.0}
    assert found["reward"].to_dict() == {"ann": 10.0, "bob": 5.0}


def test_first_days_that_are_none_are_refused() -> None:
    with pytest.raises(ExperimentDataError, match="first_days: 0 is no day"):
        Plan("ranker", "old", {"old": 1.0, "new": 1.0}, first_days=0)
