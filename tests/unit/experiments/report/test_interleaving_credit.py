"""Credit of interleaved rankings, by shopper."""

import numpy as np
import pytest
from scipy.stats import binomtest

from serving.experiments.statistics.interleaving import credits, preference


def test_a_place_gives_its_reward_to_the_ranker_that_drafted_it() -> None:
    told = credits(
        np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, -1, -1], np.int32),
        np.array([1.0, 2.0, 3.0, 5.0, 5.0]),
    )  # fmt: skip
    assert told.tolist() == [[1, 2], [0, 3], [0, 0]]


def test_a_shopper_who_clicks_a_hundred_times_as_much_counts_ten_times() -> None:
    few = preference(np.array([[0.0, 1.0]] * 60 + [[1.0, 0.0]] * 40))
    assert few.share == pytest.approx(0.6)
    assert (few.wins, few.losses, few.ties) == (60, 40, 0)
    many = preference(np.array([[0.0, 1.0]] * 60 + [[100.0, 0.0]] * 40))
    assert many.share == pytest.approx(60 / (60 + 400))
    assert many.win_share == few.win_share == pytest.approx(0.6)


def test_ties_are_half_a_win_and_shoppers_without_credit_are_left_out() -> None:
    told = preference(np.array([[0.0, 1.0]] * 10 + [[2.0, 2.0]] * 10 + [[0.0, 0.0]] * 99))
    assert told.shoppers == 20
    assert told.win_share == pytest.approx(0.75)


def test_with_one_click_each_it_comes_to_the_sign_test() -> None:
    told = preference(np.array([[0.0, 1.0]] * 126 + [[1.0, 0.0]] * 100), looks="once")
    assert told.p_value == pytest.approx(binomtest(126, 226).pvalue, rel=0.25)
    assert told.low < 0.5 < told.high
    assert preference(np.array([[0.0, 1.0]] * 70 + [[1.0, 0.0]] * 30), looks="once").low > 0.5


def test_equal_rankers_are_told_apart_in_less_than_a_twentieth_of_daily_read_runs() -> None:
    rng = np.random.default_rng(3)
    signs = rng.choice([-1, 0, 1], p=[0.4, 0.2, 0.4], size=(400, 3_000))
    found = 0
    for run in signs:
        credit = np.stack([run == -1, run == 1], axis=1).astype(float) + 1
        looks = [preference(credit[:n]) for n in range(200, 3_001, 200)]
        found += any(told.low > 0.5 or told.high < 0.5 for told in looks)
    assert found <= 20


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(ValueError, match="teams"):
        credits(np.array([0]), np.array([2], np.int32), np.array([1.0]))
    for credit in (np.zeros((5, 2)), np.array([[1.0, -1.0], [1.0, 1.0]])):
        with pytest.raises(ValueError, match="credit"):
            preference(credit)
