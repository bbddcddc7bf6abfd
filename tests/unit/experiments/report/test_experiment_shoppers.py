"""Exposures and outcomes as one row a shopper."""

import numpy as np
import pandas as pd
import pytest

from serving.experiments.report.shoppers import (
    DAY_S,
    ExperimentDataError,
    counts_by_day,
    one_arm_each,
    shoppers,
)

T = 1_000 * DAY_S


def exposures(*rows: tuple[str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["unit", "arm", "first_exposed_s"])


def outcomes(*rows: tuple[str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["unit", "at_s", "reward"])


def test_what_happened_is_split_at_each_shoppers_own_exposure() -> None:
    table = shoppers(
        exposures(("a", "x", T), ("b", "y", T + 5 * DAY_S)),
        outcomes(
            ("a", T, 1.0), ("a", T + DAY_S, 2.0), ("a", T - 1, 4.0), ("a", T - 15 * DAY_S, 8.0),
            ("a", T + 9 * DAY_S, 16.0), ("b", T, 32.0), ("c", T, 64.0),
        ),
        ["reward"], until_s=T + 8 * DAY_S,
    ).table.set_index("unit")  # fmt: skip
    assert table["reward"].to_dict() == {"a": 3.0, "b": 0.0}
    assert table["before_reward"].to_dict() == {"a": 4.0, "b": 32.0}
    assert table["came_before"].all()


def test_a_shopper_who_never_came_before_has_no_past_rather_than_a_past_of_zero() -> None:
    told = shoppers(exposures(("a", "x", T)), outcomes(("a", T, 1.0)), ["reward"], T + 1).table
    assert not told["came_before"].any()


def test_the_first_exposure_counts_and_who_was_in_two_arms_is_of_neither() -> None:
    kept, torn = one_arm_each(
        exposures(("a", "x", T + 5), ("a", "x", T), ("b", "x", T), ("b", "y", T + 1)), T + 10
    )
    assert kept[["unit", "first_exposed_s"]].values.tolist() == [["a", T]]
    assert torn == 1
    assert one_arm_each(exposures(("b", "x", T), ("b", "y", T + 20)), T + 10)[1] == 0


def test_counts_are_cumulated_by_day_and_end_when_it_is_read() -> None:
    table = exposures(("a", "x", T), ("b", "y", T + 1.5 * DAY_S), ("c", "x", T + 2.2 * DAY_S))
    counts = counts_by_day(table, ["x", "y"], T + 2.3 * DAY_S)
    assert counts.tolist() == [[1, 0], [1, 1], [2, 1]]


@pytest.mark.parametrize(
    ("exposed", "happened", "told"),
    [
        (exposures().drop(columns="arm"), outcomes(), "exposures: column 'arm' is missing"),
        (exposures(("a", "x", np.nan)), outcomes(), "exposures: column 'first_exposed_s', row 0"),
        (exposures(("a", "x", T)), outcomes(("a", T, np.inf)), "outcomes: column 'reward'"),
        (exposures(("a", "x", T)), outcomes().drop(columns="reward"), "column 'reward' is missing"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_by_column(
    exposed: pd.DataFrame, happened: pd.DataFrame, told: str
) -> None:
    with pytest.raises(ExperimentDataError, match=told):
        shoppers(exposed, happened, ["reward"], T + 1)


def test_nobody_exposed_is_said() -> None:
    with pytest.raises(ExperimentDataError, match="nobody"):
        counts_by_day(exposures(), ["x"], T)
