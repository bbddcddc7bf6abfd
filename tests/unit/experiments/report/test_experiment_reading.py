"""A whole reading: verdict, corrections, guard rails, and the ways it is told."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from serving.experiments.report.__main__ import main
from serving.experiments.report.plan import Data, Plan
from serving.experiments.report.plot import draw
from serving.experiments.report.reading import read
from serving.experiments.report.result import ExperimentReading
from serving.experiments.report.shoppers import DAY_S, ExperimentDataError
from serving.experiments.report.table import show
from serving.experiments.statistics.interleaving import preference

T = 20_000 * DAY_S
UNTIL = T + 10 * DAY_S
COLUMNS = ("reward", "revenue", "impressions", "clicks", "purchases", "returns")
EVEN = {"old": 1.0, "new": 1.0}


def shop(
    n: int = 6_000, lift: float = 0.0, returns: float = 0.0, lost: float = 0.0, seed: int = 11
) -> Data:
    """Shoppers whose past is like their present; `new` has `lift` more clicks and purchases."""
    rng = np.random.default_rng(seed)
    unit = np.array([f"shopper-{number}" for number in range(n)])
    treated = rng.random(n) < 0.5
    at = T + rng.random(n) * 8 * DAY_S
    rate = rng.gamma(2.0, 0.5, n)
    kept = rng.random(n) >= lost * treated
    exposures = pd.DataFrame(
        {
            "unit": unit, "arm": np.where(treated, "new", "old"), "first_exposed_s": at,
            "locale": np.where(rng.random(n) < 0.5, "de", "en"),
        }
    )[kept]  # fmt: skip

    def outcomes(times: np.ndarray, grown: np.ndarray, more_returns: np.ndarray) -> pd.DataFrame:
        impressions = rng.poisson(40 * rate)
        clicks = rng.binomial(impressions, 0.1 * grown)
        purchases = rng.binomial(clicks, 0.2)
        return pd.DataFrame(
            {
                "unit": unit, "at_s": times, "reward": clicks + 5.0 * purchases,
                "revenue": purchases * 20.0, "impressions": impressions, "clicks": clicks,
                "purchases": purchases,
                "returns": rng.binomial(purchases, 0.3 * more_returns),
            }
        )  # fmt: skip

    ones = np.ones(n)
    after = outcomes(at + 3_600, 1 + lift * treated, 1 + returns * treated)
    return Data(exposures, pd.concat([outcomes(at - DAY_S, ones, ones), after], ignore_index=True))


def plan(**options: object) -> Plan:
    return Plan("ranker", "old", EVEN, **options)  # type: ignore[arg-type]


def test_a_planted_lift_is_found_and_the_sentence_says_to_promote() -> None:
    told = read(plan(guard_rails=(), by_day=False), shop(lift=0.15), UNTIL)
    (arm,) = told.arms
    assert arm.deciding.finding == "better"
    assert arm.deciding.low is not None
    assert arm.deciding.high is not None
    assert 0 < arm.deciding.low < 0.15 < arm.deciding.high + 0.02
    assert arm.deciding.saved > 0.2
    assert told.verdict.word == "better"
    assert told.verdict.sentence.startswith("Promote new: its reward per shopper is better")


def test_two_equal_arms_are_not_decided() -> None:
    told = read(plan(by_day=False), shop(), UNTIL)
    assert told.verdict.word == "open"
    assert all(metric.finding == "open" for metric in told.arms[0].others)


def test_a_worse_arm_is_to_be_stopped() -> None:
    told = read(plan(by_day=False, guard_rails=()), shop(lift=-0.2), UNTIL)
    assert told.verdict.word == "worse"
    assert told.verdict.sentence.startswith("Stop new")


def test_a_sample_ratio_mismatch_stops_the_reading_before_any_metric() -> None:
    told = read(plan(), shop(n=20_000, lift=0.2, lost=0.2), UNTIL)
    assert told.sample_ratio.state == "mismatch"
    assert told.arms == ()
    assert told.verdict.word == "do not read"
    assert "Do not read this experiment" in told.verdict.sentence


def test_a_broken_guard_rail_outweighs_a_better_reward() -> None:
    told = read(plan(by_day=False), shop(n=12_000, lift=0.15, returns=1.0), UNTIL)
    (arm,) = told.arms
    assert arm.deciding.finding == "better"
    assert arm.guard_rails[0].state == "broken"
    assert told.verdict.word == "guard rail broken"
    assert "returns per shopper" in told.verdict.sentence


def test_a_guard_rail_that_is_not_ruled_out_keeps_the_verdict_open() -> None:
    told = read(plan(by_day=False), shop(lift=0.15), UNTIL)
    assert told.arms[0].guard_rails[0].state == "open"
    assert told.verdict.word == "open"
    assert "not yet ruled out" in told.verdict.sentence


def test_a_guard_rail_of_which_nothing_happened_is_kept() -> None:
    data = shop(lift=0.15)
    told = read(plan(by_day=False), Data(data.exposures, data.outcomes.assign(returns=0)), UNTIL)
    assert told.arms[0].guard_rails[0].state == "kept"
    assert told.verdict.word == "better"


def test_ctr_is_a_ratio_over_shoppers_and_cvr_a_share_of_them() -> None:
    data = shop()
    told = read(plan(by_day=False), data, UNTIL)
    by_name = {metric.metric: metric for metric in told.arms[0].others}
    after = data.outcomes.iloc[len(data.outcomes) // 2 :].merge(data.exposures, on="unit")
    old = after[after["arm"] == "old"]
    assert by_name["click-through rate"].control == pytest.approx(
        old["clicks"].sum() / old["impressions"].sum()
    )
    assert by_name["conversion rate"].control == pytest.approx((old["purchases"] > 0).mean())


def test_segments_and_other_metrics_are_corrected_and_the_deciding_one_is_not() -> None:
    told = read(plan(by_day=False, segments=("locale",)), shop(lift=0.15), UNTIL)
    (arm,) = told.arms
    assert arm.deciding.adjusted_p is None
    assert [metric.segment for metric in arm.others][-2:] == ["locale: de", "locale: en"]
    assert all(metric.adjusted_p is not None for metric in arm.others)
    assert all(
        metric.adjusted_p >= metric.p_value  # type: ignore[operator]
        for metric in arm.others
    )


def test_too_few_shoppers_are_no_finding() -> None:
    told = read(plan(by_day=False), shop(n=150, lift=2.0), UNTIL)
    assert told.arms[0].deciding.finding == "too few"
    assert told.verdict.sentence.startswith("Too early")


def test_another_metric_and_a_guard_rail_that_do_not_vary_are_told_as_such() -> None:
    data = shop(lift=0.15)
    same = Data(data.exposures, data.outcomes.assign(impressions=40.0, returns=1.0))
    told = read(plan(by_day=False), same, UNTIL)
    (arm,) = told.arms
    by_name = {metric.metric: metric.finding for metric in arm.others}
    assert by_name["impressions per shopper"] == "no variance"
    assert arm.guard_rails[0].reading.finding == "no variance"
    assert arm.guard_rails[0].state == "kept"  # it is the same for everybody, so not worse
    assert told.verdict.word == "better"


def test_of_several_arms_the_best_is_promoted_and_each_is_read_more_strictly() -> None:
    data = shop(n=12_000, lift=0.2)
    odd = data.exposures.index % 2 == 1
    split = data.exposures.assign(
        arm=np.where((data.exposures["arm"] == "old") & odd, "same", data.exposures["arm"])
    )
    plan3 = Plan(
        "three", "old", {"old": 0.25, "same": 0.25, "new": 0.5}, guard_rails=(), by_day=False
    )
    told = read(plan3, Data(split, data.outcomes), UNTIL)
    assert {arm.arm: arm.verdict.word for arm in told.arms} == {"same": "open", "new": "better"}
    assert "new" in told.verdict.sentence


def test_a_reading_goes_through_json_a_table_and_a_picture(tmp_path: Path) -> None:
    credit = np.array([[0.0, 1.0]] * 300 + [[1.0, 0.0]] * 100)
    data = shop(lift=0.15)
    told = read(plan(), Data(data.exposures, data.outcomes, preference(credit)), UNTIL)
    assert ExperimentReading.model_validate_json(told.model_dump_json()) == told
    assert len(told.arms[0].by_day) == 10
    out = io.StringIO()
    show(told, Console(file=out, width=200))
    assert told.verdict.sentence[:60] in out.getvalue()
    assert "wins 75.0% of 400 shoppers" in out.getvalue()
    draw(told, tmp_path / "a.png")
    draw(read(plan(), shop(n=20_000, lost=0.2), UNTIL), tmp_path / "b.png")
    assert all((tmp_path / name).stat().st_size > 5_000 for name in ("a.png", "b.png"))


def test_an_arm_without_a_weight_is_refused() -> None:
    data = shop()
    with pytest.raises(ExperimentDataError, match="'new' has no weight"):
        read(Plan("x", "old", {"old": 1.0, "other": 1.0}), data, UNTIL)
    with pytest.raises(ExperimentDataError, match="control"):
        Plan("x", "older", EVEN)
    with pytest.raises(ExperimentDataError, match="segment"):
        read(plan(segments=("page",)), data, UNTIL)


def test_the_command_reads_tables_and_its_status_tells_a_mismatch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(data: Data) -> int:
        data.exposures.to_parquet(tmp_path / "e.parquet")
        data.outcomes.to_parquet(tmp_path / "o.parquet")
        return main([
            "read", "--exposures", str(tmp_path / "e.parquet"), "--until", str(UNTIL),
            "--outcomes", str(tmp_path / "o.parquet"), "--arms", "old=.5", "new=.5",
            "--name", "a/b", "--out", str(tmp_path),
        ])  # fmt: skip

    assert run(shop(lift=0.15)) == 0
    assert (tmp_path / "experiment-a-b.json").is_file()
    assert (tmp_path / "experiment-a-b.png").is_file()
    assert run(shop(n=20_000, lost=0.2)) == 1
    data = shop(n=500)
    assert run(Data(data.exposures.drop(columns="arm"), data.outcomes)) == 2
    assert "exposures: column 'arm' is missing" in capsys.readouterr().err


def test_the_command_plans(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["plan", "--mean", "2", "--deviation", "5", "--lift"]
    assert main([*asked, ".05", "--saved", ".4", "--per-day", "500"]) == 0
    assert "daily" in capsys.readouterr().out
    assert main([*asked, "0"]) == 2
    assert capsys.readouterr().err.startswith("lift:")
