"""Readings of all running experiments are kept for replicas to tell."""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from features.controls.shops import SHOPS, Registered, ShopStatus
from features.events.event import BehaviorEvent, EventType
from features.events.exposure import Exposure
from features.events.log import RankingRecord
from features.events.sqlite_log import SqliteEventLog
from features.objective import Objective
from features.store.backends import open_controls, open_event_log
from features.store.kept import Kept
from features.store.settings import StoreSettings, embedded_store
from features.store.shops import shop_store
from serving.experiments.published import kept_readings
from serving.experiments.report.__main__ import main
from serving.experiments.report.publish import publish
from serving.http.schemas.readings import ReadingOut
from serving.shops.experiments import Experiment
from serving.shops.rules import Rules
from serving.shops.steering.decision import Action
from serving.shops.steering.steering import Steering
from tests.support.fakes import FakeControls

NOW_S = 1_700_000_000.0
DAY_S = 86_400.0
ARMS = [{"key": "old"}, {"key": "new"}]


def experiment(key: str = "wider", **fields: object) -> Experiment:
    return Experiment.model_validate({"key": key, "status": "running", "arms": ARMS, **fields})


def filled(folder: Path, days: float = 20.0, shares: Sequence[float] = (0.5, 0.5)) -> None:
    """A log of 3,000 shoppers of `wider`; those of `new` buy half as much again."""
    draw = np.random.default_rng(3)
    rankings, events = [], []
    for number in range(3_000):
        arm, user = str(draw.choice(["old", "new"], p=shares)), f"u{number}"
        at_s = NOW_S + float(draw.uniform(0, days)) * DAY_S
        exposure = Exposure("wider", arm, "user", user, 0)
        rankings.append(
            RankingRecord(f"r{number}", at_s, "model", ("i1",), user, None, exposures=(exposure,))
        )
        for place in range(draw.poisson(1.5 if arm == "new" else 1.0)):
            name, bought_s = f"e{number}-{place}", at_s + 60.0 * (place + 1)
            bought = EventType.PURCHASE
            events.append(BehaviorEvent(name, bought, bought_s, user, None, "i1", value=4.0))
    log = SqliteEventLog(folder / "events.db")
    log.append_rankings(rankings)
    log.append(events)
    log.close()


def published(folder: Path, *experiments: Experiment, days: float = 20.0) -> FakeControls:
    found = FakeControls()
    log = SqliteEventLog(folder / "events.db")
    list(
        publish(
            Rules(experiments=experiments),
            Kept(log, None),
            found,
            Objective(),
            NOW_S + (days + 1) * DAY_S,
        )
    )
    log.close()
    return found


def reading(found: FakeControls, key: str = "wider") -> ReadingOut:
    """What is kept, if the API may tell it as it is."""
    return ReadingOut.model_validate_json(json.dumps(kept_readings(found)[key]))


def test_what_is_kept_is_what_the_api_describes_and_the_report_found(tmp_path: Path) -> None:
    filled(tmp_path)
    told = reading(published(tmp_path, experiment()))
    assert (told.control, told.verdict.word) == ("old", "better")
    assert told.bucket_version == 0
    assert told.sample_ratio is not None
    assert sum(arm.shoppers for arm in told.sample_ratio.arms) == 3_000
    (arm,) = told.arms
    assert arm.deciding.metric == "reward per shopper"
    assert arm.deciding.low is not None
    assert arm.deciding.low > 0
    # What was logged without the model's time says nothing of it.
    assert [(rail.reading.metric, rail.bound, rail.state) for rail in arm.guard_rails] == [
        ("returns per shopper", 0.1, "kept"), ("share ranked by the model", 0.05, "kept"),
    ]  # fmt: skip
    assert told.read_at.timestamp() == NOW_S + 21 * DAY_S


def test_only_what_runs_and_shoppers_see_is_read(tmp_path: Path) -> None:
    filled(tmp_path)
    shadow = {"kind": "shadow", "arms": [{"key": "new", "model_version": "8"}]}
    found = published(
        tmp_path, experiment(), experiment("draft", status="draft"),
        experiment("over", status="stopped"), experiment("dark", **shadow),
    )  # fmt: skip
    assert set(found.all("reading")) == {"wider"}


def test_what_was_decided_stands_still_until_it_goes_on(tmp_path: Path) -> None:
    filled(tmp_path)
    found, log = FakeControls(), SqliteEventLog(tmp_path / "events.db")
    wider = experiment()
    steering = Steering(Rules(experiments=[wider]), found)
    for action, arm, is_read in (
        ("stop", None, False),
        ("promote", "new", False),
        ("resume", None, True),
    ):
        steering.decide("wider", Action(action), arm, "")
        read = list(
            publish(
                Rules(experiments=[wider]), Kept(log, None), found, Objective(), NOW_S + 21 * DAY_S
            )
        )
        assert bool(read) is is_read, action
    log.close()


def test_of_an_interleave_its_credit_is_kept(tmp_path: Path) -> None:
    arms = [{"key": "old"}, {"key": "new", "model_version": "8"}]
    both = experiment("both", kind="interleave", arms=arms)
    log = SqliteEventLog(tmp_path / "events.db")
    for n in range(200):
        exposure = Exposure("both", "interleaved", "user", f"u{n}", 0)
        teams = np.array([n % 2, 1 - n % 2], np.int8)
        ranking = RankingRecord(
            f"r{n}", NOW_S + n, "model", ("i0", "i1"), f"u{n}", None, exposures=(exposure,),
            teams=teams, arms=("old", "new"),
        )  # fmt: skip
        log.append_rankings([ranking])
        liked = f"i{teams.tolist().index(1)}"
        click = EventType.CLICK
        log.append(
            [BehaviorEvent(f"e{n}", click, NOW_S + 300, f"u{n}", None, liked, None, f"r{n}")]
        )
    log.close()
    told = reading(published(tmp_path, both), "both")
    assert told.verdict.word == "better"
    assert told.interleaving is not None
    assert told.interleaving.share == 1.0


def test_a_long_history_is_thinned_and_keeps_its_newest_day(tmp_path: Path) -> None:
    filled(tmp_path, days=200.0)
    days = [
        each.day for each in reading(published(tmp_path, experiment(), days=200)).arms[0].by_day
    ]
    assert 45 < len(days) <= 90
    assert days == sorted(days)
    assert days[-1] in (201, 202)  # how many ends a span of 200 and some days has


def test_of_arms_of_the_wrong_size_nothing_but_that_is_told(tmp_path: Path) -> None:
    filled(tmp_path, shares=(0.6, 0.4))
    told = reading(published(tmp_path, experiment()))
    assert told.verdict.word == "do not read"
    assert told.sample_ratio is not None
    assert told.sample_ratio.state == "mismatch"
    assert told.arms == []


def test_what_cannot_be_read_says_why_and_the_others_are_read(tmp_path: Path) -> None:
    filled(tmp_path)
    found = published(tmp_path, experiment("nobody"), experiment())
    told = reading(found, "nobody")
    assert told.verdict.word == "cannot be read"
    assert told.verdict.sentence.startswith("Cannot be read: nobody: ")
    assert reading(found).verdict.word == "better"


def test_the_command_keeps_readings_in_the_store_of_the_shop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path)
    experiments = "experiments: [{key: wider, status: running, arms: [{key: old}, {key: new}]}]\n"
    (tmp_path / "rules.yaml").write_text(experiments)
    store = tmp_path / "store.json"
    store.write_text(json.dumps({"state": str(tmp_path)}))
    (tmp_path / "objective.yaml").write_text("purchase: 7\n")
    asked = ["publish", "--store", str(store), "--rules", str(tmp_path / "rules.yaml")]
    assert main([*asked, "--objective", str(tmp_path / "objective.yaml")]) == 0
    assert "wider: Promote new" in capsys.readouterr().out
    controls = open_controls(embedded_store(tmp_path))
    told = kept_readings(controls)["wider"]
    controls.close()
    assert told["arms"][0]["deciding"]["control"] == pytest.approx(7.0, abs=0.6)
    assert main(["publish", "--store", str(store)]) == 2
    assert "rules: name the file" in capsys.readouterr().err


def test_what_was_declared_by_api_is_read_as_what_the_rules_declare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path)
    (tmp_path / "rules.yaml").write_text("")
    controls = open_controls(embedded_store(tmp_path))
    Steering(Rules(), controls).declare(experiment())
    store = tmp_path / "store.json"
    store.write_text(json.dumps({"state": str(tmp_path)}))
    named = ["--store", str(store), "--rules", str(tmp_path / "rules.yaml")]
    assert main(["publish", *named]) == 0
    assert list(kept_readings(controls)) == ["wider"]
    controls.close()
    assert main(["of", "wider", *named, "--out", str(tmp_path / "out")]) == 0
    assert "wider: Promote new" in capsys.readouterr().out


def test_experiments_of_registered_shops_are_read_by_their_own_rules_and_objective(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = StoreSettings(state=tmp_path)
    rules = {
        "objective": {"purchase": 7},
        "experiments": [{"key": "wider", "status": "running", "arms": ARMS}],
    }
    shop = Registered("outlet", "outlet-1", ShopStatus.ACTIVE, 0, {"rules": rules}, {})
    gone = Registered("gone", "gone-1", ShopStatus.ACTIVE, 0, {}, {}).now(ShopStatus.REMOVED, 1)
    with closing(open_controls(installation)) as controls:
        for entry in (shop, gone):
            controls.put(SHOPS, entry.name, entry.document)
    own = shop_store(installation, shop)
    for each in (installation, own):
        open_event_log(each).close()
    filled(own.state)
    (tmp_path / "rules.yaml").write_text("")
    store = tmp_path / "store.json"
    store.write_text(installation.model_dump_json())
    assert main(["publish", "--store", str(store), "--rules", str(tmp_path / "rules.yaml")]) == 0
    printed = capsys.readouterr().out
    assert "shop outlet:\nwider: Promote new" in printed
    assert "gone" not in printed
    with closing(open_controls(own)) as controls:
        told = kept_readings(controls)["wider"]
    assert told["arms"][0]["deciding"]["control"] == pytest.approx(7.0, abs=0.6)
    with closing(open_controls(installation)) as controls:
        assert kept_readings(controls) == {}
