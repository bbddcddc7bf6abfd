"""A shopper's sum counts up to a quantile, so that a bot is no trend."""

import numpy as np
import pandas as pd
import pytest

from serving.experiments.report.__main__ import main
from serving.experiments.report.metrics import CAP, REWARD
from serving.experiments.report.own_log import plan_of
from serving.experiments.report.plan import Data, Plan
from serving.experiments.report.reading import read
from serving.experiments.report.result import ArmReading
from serving.experiments.report.shoppers import DAY_S
from serving.shops.experiments import Experiment

T = 20_000 * DAY_S
UNTIL = T + 10 * DAY_S


def counted(sums: np.ndarray, cap: float | None) -> np.ndarray:
    everybody = [np.ones(len(sums), bool)]
    return REWARD.capped(cap).values(pd.DataFrame({"reward": sums}), everybody)


def test_of_few_shoppers_a_bot_counts_no_more_than_the_next() -> None:
    sums = np.array([*range(100), 9_000], float)
    assert counted(sums, 0.999).max() == 99
    assert counted(sums, 0.999)[:100].tolist() == sums[:100].tolist()
    assert counted(sums, 1).max() == counted(sums, None).max() == 9_000


def test_where_hardly_anybody_buys_the_cap_is_that_of_those_who_do() -> None:
    sums = np.zeros(10_000)
    sums[:20] = 5.0
    assert counted(sums, CAP).sum() == 100
    assert counted(np.zeros(50), CAP).sum() == 0


def test_a_cap_that_is_no_quantile_is_refused() -> None:
    with pytest.raises(ValueError, match="cap"):
        REWARD.capped(0.4)


def with_bots_in_control(cap: float | None) -> ArmReading:
    rng = np.random.default_rng(3)
    n = 1_000
    arm = np.where(rng.random(n) < 0.5, "old", "new")
    reward = rng.poisson(rng.gamma(1.0, 5.0, n)).astype(float)
    reward[np.flatnonzero(arm == "old")[:3]] = 20_000.0
    exposures = pd.DataFrame({"unit": np.arange(n), "arm": arm, "first_exposed_s": T})
    outcomes = pd.DataFrame({"unit": np.arange(n), "at_s": T + DAY_S, "reward": reward})
    plan = Plan(
        "ranker", "old", {"old": 1.0, "new": 1.0}, REWARD.capped(cap), others=(), guard_rails=(),
        by_day=False,
    )  # fmt: skip
    return read(plan, Data(exposures, outcomes), UNTIL).arms[0]


def test_bots_in_control_make_an_equal_arm_look_worse_unless_they_are_capped() -> None:
    assert with_bots_in_control(None).verdict.word == "worse"
    told = with_bots_in_control(CAP)
    assert told.verdict.word == "open"
    assert told.deciding.low is not None
    assert told.deciding.low < 0 < (told.deciding.high or 0)


def test_declared_experiments_are_read_capped_unless_asked_otherwise() -> None:
    declared = Experiment.model_validate({"key": "wider", "arms": [{"key": "old"}, {"key": "new"}]})
    assert plan_of(declared).deciding.cap == CAP
    assert plan_of(declared, 1).deciding.cap == 1


def test_the_command_names_a_cap_that_it_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["of", "wider", "--cap", "99"])
    assert "--cap: '99' is not above .5 and up to 1" in capsys.readouterr().err
