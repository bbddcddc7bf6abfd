"""Simulated shops with seasons, novelty and bots, small and seeded."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from loadtests.experiments.calendar import EVEN, seasons
from loadtests.experiments.peeking import peek
from loadtests.experiments.population import PAST_DAYS, Population
from loadtests.experiments.proofs import Size
from loadtests.experiments.worlds.bots import bots, experiments
from loadtests.experiments.worlds.novelty import lifts, novelty
from loadtests.experiments.worlds.tables import Bots, tables
from serving.experiments.report.shoppers import DAY_S

SILENT = Console(file=io.StringIO())
SEASONS = seasons(28, PAST_DAYS)


def test_an_even_shop_counts_days_and_its_shoppers_come_evenly() -> None:
    assert EVEN.until(np.array([0.0, 1.5])).tolist() == [0.0, 1.5]
    assert EVEN.arrivals(4, 2).tolist() == [0, 0, 1, 1]


def test_a_shop_with_seasons_has_nights_weekends_and_a_sale_week() -> None:
    def visits(begin: float, end: float) -> float:
        return float(SEASONS.until(np.array(end)) - SEASONS.until(np.array(begin)))

    assert visits(20 / 24, 21 / 24) > 10 * visits(3 / 24, 4 / 24)
    assert visits(5, 6) > 1.5 * visits(0, 1)
    assert visits(0, 7) == pytest.approx(7)
    assert visits(14, 21) == pytest.approx(2.5 * visits(7, 14))
    assert visits(-14, 0) == pytest.approx(14)
    came = SEASONS.arrivals(10_000, 28)
    assert (np.diff(came) > 0).all()
    assert ((came > 14) & (came < 21)).mean() == pytest.approx(2.5 * 7 / (28 + 1.5 * 7), abs=0.01)


def test_equal_arms_of_a_shop_with_seasons_raise_few_false_alarms() -> None:
    shop = Population(calendar=SEASONS)
    found = peek(shop, 100, 1_000, np.arange(1, 29), 0.0, np.random.default_rng(7))
    assert found.better + found.worse <= 5
    assert found.better_past + found.worse_past <= 5
    assert found.mismatch == 0
    assert found.saved > 0.2


def test_a_lift_is_that_of_the_day_after_exposure() -> None:
    lift = np.array([1.0, 0.0, 0.0])
    data = tables(Population(), 60_000, lift, np.random.default_rng(1))
    told = data.outcomes.merge(data.exposures, on="unit")
    day = np.floor((told["at_s"] - told["first_exposed_s"]) / DAY_S)
    by_day = told.groupby([day, told["arm"]])["reward"].sum().unstack()
    ratio = by_day["treatment"] / by_day["control"]
    assert ratio[0] == pytest.approx(2.0, abs=0.15)
    assert ratio[1] == pytest.approx(1.0, abs=0.1)
    assert ratio[2] == pytest.approx(1.0, abs=0.1)
    assert (told.loc[day < 0, "reward"] > 0).all()


def test_bots_are_of_both_arms_and_click_a_hundred_times_what_shoppers_do() -> None:
    some = Bots(share=0.02)
    data = tables(Population(), 10_000, np.zeros(28), np.random.default_rng(1), some)
    sums = data.outcomes.groupby("unit")["reward"].sum()
    heavy = sums.index[sums > 400]
    assert 100 < len(heavy) < 220
    arms = data.exposures.set_index("unit").loc[heavy, "arm"]
    assert 0.35 < (arms == "treatment").mean() < 0.65


def test_a_lift_that_wears_off_halves_in_its_half_life() -> None:
    fading = lifts(Size())["a lift that wears off"]
    assert fading[3] == pytest.approx(fading[0] / 2)
    assert fading[-1] < 0.001


def test_the_proof_of_novelty_counts_what_readings_told() -> None:
    proved = novelty(replace(Size(), read=2), 3, SILENT)
    assert [bar.met for bar in proved.bars] == [True] * 4
    fading = proved.figures["a lift that wears off"]
    assert fading["runs"] == 2
    assert fading["first"] > fading["later"] + 0.05


def test_bots_widen_the_interval_of_what_is_not_capped() -> None:
    told = experiments(
        Size(read=2), 4_000, 0.0, np.array([28]), Bots(0.002), np.random.default_rng(3),
        "A/A", SILENT,
    )  # fmt: skip
    assert told["as it is"].width > 2 * told[".99"].width


def test_the_proof_of_bots_plans_by_the_capped_past_and_says_what_it_measured() -> None:
    proved = bots(Size(read=1, false_alarm_shoppers=400, days=14), 3, SILENT)
    assert [bar.runs for bar in proved.bars] == [1] * 4
    planned = proved.figures["planned"]
    assert planned[".99"]["shoppers"] < planned["as it is"]["shoppers"] / 20
    assert 0.04 < planned[".99"]["lift"] < planned["as it is"]["lift"] == pytest.approx(0.05)
