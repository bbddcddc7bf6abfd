"""Where shoppers do not differ, there is no error to judge by, and no verdict."""

import numpy as np
import pandas as pd
import pytest

from serving.experiments.report.plan import Data, Plan
from serving.experiments.report.reading import read
from serving.experiments.report.shoppers import DAY_S

T = 20_000 * DAY_S
UNTIL = T + 10 * DAY_S
NONE = dict.fromkeys(("revenue", "impressions", "clicks", "purchases", "returns"), 0.0)
PLAN = Plan("ranker", "old", {"old": 1.0, "new": 1.0})


def constant(old: float, new: float, n: int = 400) -> Data:
    """Every shopper of an arm has the same reward, of many small sums that are rounded."""
    unit = [f"shopper-{number}" for number in range(n)]
    arms = ["old", "new"] * (n // 2)
    exposures = pd.DataFrame({"unit": unit, "arm": arms, "first_exposed_s": T})
    values = {"old": old / 10, "new": new / 10}
    outcomes = pd.DataFrame(
        {
            "unit": unit * 10, "at_s": T + DAY_S,
            "reward": [values[arm] for arm in arms] * 10,
        }
    )  # fmt: skip
    return Data(exposures, outcomes.assign(**NONE))


@pytest.mark.parametrize(("old", "new"), [(1.0, 1.0), (1.1, 1.1 + 1e-15), (1.1, 1.7)])
def test_no_verdict_rests_on_a_metric_that_does_not_vary(old: float, new: float) -> None:
    told = read(PLAN, constant(old, new), UNTIL)
    (arm,) = told.arms
    assert arm.deciding.finding == "no variance"
    assert (arm.deciding.low, arm.deciding.high, arm.deciding.p_value) == (None, None, None)
    assert told.verdict.word == "open"
    assert "reward per shopper does not vary between shoppers" in told.verdict.sentence


def test_what_the_past_explains_whole_leaves_no_variance_to_decide_by() -> None:
    data = constant(1.0, 1.0)
    number = np.arange(len(data.exposures))
    at = T + number % 7 * DAY_S  # a reward a day since, as the impressions of one page a day
    outcomes = pd.DataFrame(
        {"unit": data.exposures["unit"], "at_s": at, "reward": (UNTIL - at) / DAY_S}
    ).assign(**NONE)
    told = read(PLAN, Data(data.exposures.assign(first_exposed_s=at), outcomes), UNTIL)
    assert told.arms[0].deciding.finding == "no variance"
    assert told.verdict.word == "open"
