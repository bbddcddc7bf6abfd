"""An experiment is read from what the shop's own log holds of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.events.event import BehaviorEvent, EventType
from features.events.exposure import Exposure
from features.events.log import RankingRecord
from features.events.sqlite_log import SqliteEventLog
from features.ingest.keeping.archiving import Archiver
from features.ingest.settings import IngestSettings
from features.ingest.status import CONSUMER
from features.objective import Objective
from features.store.archive import Archive
from features.store.settings import StoreSettings
from serving.experiments.report.__main__ import main
from serving.experiments.report.own_log import Placed, data_of, plan_of
from serving.experiments.report.reading import read
from serving.experiments.report.shoppers import ExperimentDataError
from serving.shops.experiments import Experiment

NOW_S = 1_700_000_000.0
DAY_S = 86_400.0
EXPERIMENT = Experiment.model_validate(
    {"key": "wider", "status": "running", "arms": [{"key": "old"}, {"key": "new"}]}
)
RULES = """
experiments:
  - key: wider
    status: running
    arms: [{key: old}, {key: new, rules: {diversity: {max_same: 2}}}]
"""


def ranking(
    number: str, user: str, arm: str = "old", unit: str = "", session: str | None = None,
    day: float = 0.0, version: int = 0, key: str = "wider",
) -> RankingRecord:  # fmt: skip
    attribute = "session" if unit else "user"
    exposure = Exposure(key, arm, attribute, unit or user, version)  # type: ignore[arg-type]
    at_s = NOW_S + day * DAY_S
    return RankingRecord(
        number, at_s, "model", ("i1", "i2"), user or None, session, exposures=(exposure,)
    )


def event(
    kind: EventType, user: str | None, day: float, value: float | None = None,
    session: str | None = None, ranking_id: str | None = None,
) -> BehaviorEvent:  # fmt: skip
    name = f"{kind}-{user}-{session}-{day}"
    return BehaviorEvent(
        name, kind, NOW_S + day * DAY_S, user, session, "i1", None, ranking_id, value=value
    )


def test_a_shopper_is_exposed_once_when_the_first_ranking_of_an_arm_was_made() -> None:
    rankings = [
        ranking("r2", "ann", day=2),
        ranking("r1", "ann", day=1),
        ranking("r3", "bob", "new"),
    ]
    exposures = data_of(EXPERIMENT, rankings, [], Objective()).exposures
    rows = {row.unit: (row.arm, row.first_exposed_s) for row in exposures.itertuples()}
    assert rows == {"ann": ("old", NOW_S + DAY_S), "bob": ("new", NOW_S)}


def test_other_experiments_and_older_draws_are_none_of_it() -> None:
    rankings = [
        ranking("r1", "ann"),
        ranking("r2", "bob", key="else"),
        ranking("r3", "cat", version=1),
    ]
    assert data_of(EXPERIMENT, rankings, [], Objective()).exposures["unit"].tolist() == ["ann"]
    newer = EXPERIMENT.model_copy(update={"bucket_version": 1})
    assert data_of(newer, rankings, [], Objective()).exposures["unit"].tolist() == ["cat"]


def test_what_a_user_does_counts_for_the_session_that_the_arm_was_drawn_by() -> None:
    rankings = [
        ranking("r1", "", unit="s1", session="s1"),
        ranking("r2", "ann", unit="s1", session="s2"),
    ]
    events = [
        event(EventType.CLICK, None, 0.1, session="s1"),
        event(EventType.PURCHASE, "ann", 0.2, 7.5),
        event(EventType.CLICK, None, 0.3, session="s2"),
        event(EventType.CLICK, "stranger", 0.4),
    ]
    outcomes = data_of(EXPERIMENT, rankings, events, Objective()).outcomes
    assert set(outcomes["unit"]) == {"s1"}
    sums = outcomes[["clicks", "purchases", "revenue"]].sum()
    assert sums.tolist() == [2.0, 1.0, 7.5]


def test_rewards_are_the_objectives_counted_from_when_the_item_was_shown() -> None:
    objective = Objective(purchase=10.0, discount=0.5)
    events = [
        event(EventType.PURCHASE, "ann", 2.0, 7.5, ranking_id="r1"),
        event(EventType.CLICK, "ann", 3.0),
    ]
    outcomes = data_of(EXPERIMENT, [ranking("r1", "ann")], events, objective).outcomes
    assert outcomes["reward"].tolist()[:2] == [pytest.approx(2.5), 1.0]


def test_without_impressions_what_was_ranked_counts_as_seen() -> None:
    rankings = [ranking("r1", "ann"), ranking("r2", "ann", day=1)]
    told = [event(EventType.IMPRESSION, "ann", 0.5)]
    assert data_of(EXPERIMENT, rankings, [], Objective()).outcomes["impressions"].sum() == 4
    assert data_of(EXPERIMENT, rankings, told, Objective()).outcomes["impressions"].sum() == 1


def test_a_shadow_and_an_experiment_that_nobody_met_are_refused_by_name() -> None:
    shadow = {"key": "dark", "kind": "shadow", "arms": [{"key": "new", "model_version": "8"}]}
    with pytest.raises(ExperimentDataError, match="dark: a shadow"):
        plan_of(Experiment.model_validate(shadow))
    with pytest.raises(ExperimentDataError, match="wider: log and archive hold no ranking"):
        data_of(EXPERIMENT, [], [], Objective())


def guarded(
    old_s: float | None, new_s: float | None, fallbacks: float = 0.0, **fields: object
) -> dict[str, str]:
    """The states of what the guard watches: 300 shoppers an arm with four rankings each, of which
    the model took about so long; a share of those of `new` fall back."""
    declared = Experiment.model_validate({**EXPERIMENT.model_dump(exclude_unset=True), **fields})
    draw, rankings = np.random.default_rng(5), []
    for number in range(2_400):
        shopper, arm = number % 600, ("old", "new")[number % 2]
        mean_s = old_s if arm == "old" else new_s
        falls = arm == "new" and draw.random() < fallbacks
        made = ranking(f"r{number}", f"u{shopper}", arm, day=number / 2_400)
        spent_s = None if mean_s is None or falls else mean_s * float(draw.uniform(0.5, 1.5))
        rankings.append(replace(made, route="fallback" if falls else "model", model_s=spent_s))
    events = [event(EventType.PURCHASE, f"u{n}", 1.0 + n % 7 / 10, 4.0) for n in range(600)]
    data = data_of(declared, rankings, events, Objective())
    (arm_read,) = read(plan_of(declared), data, NOW_S + 3 * DAY_S).arms
    return {rail.reading.metric: rail.state for rail in arm_read.guard_rails[1:]}


MODEL, TIME = "share ranked by the model", "model time"


@pytest.mark.parametrize(
    ("old_s", "new_s", "fallbacks", "told"),
    [
        (0.02, 0.02, 0.0, {MODEL: "kept", TIME: "kept"}),
        (0.02, 0.02, 0.2, {MODEL: "broken", TIME: "kept"}),
        (0.02, 0.02, 1.0, {MODEL: "broken", TIME: "open"}),
        (0.02, 0.04, 0.0, {MODEL: "kept", TIME: "broken"}),
        (0.002, 0.004, 0.0, {MODEL: "kept", TIME: "kept"}),  # nobody feels 2 ms
        (None, None, 0.0, {MODEL: "kept"}),  # as logged before the time was
    ],
)
def test_what_the_guard_watches_is_read_as_guard_rails(
    old_s: float | None, new_s: float | None, fallbacks: float, told: dict[str, str]
) -> None:
    assert guarded(old_s, new_s, fallbacks) == told


def test_the_bounds_are_the_guards_and_without_one_there_are_no_such_rails() -> None:
    assert guarded(0.02, 0.04, 0.2, guard={"model_time": 2.5, "fallback": 0.3}) == {
        MODEL: "kept", TIME: "kept",
    }  # fmt: skip
    assert guarded(0.02, 0.04, 0.2, guard=None) == {}


def test_what_the_model_was_not_asked_for_and_another_versions_time_do_not_count() -> None:
    arms = [{"key": "old"}, {"key": "new", "model_version": "8"}]
    declared = EXPERIMENT.model_validate(
        {**EXPERIMENT.model_dump(exclude_unset=True), "arms": arms}
    )
    one = replace(ranking("r1", "ann", "new"), model_s=0.02, model_version="8")
    others = [replace(one, ranking_id="r2", model_version="7"), replace(one, route="cold_start")]
    outcomes = data_of(declared, [one, *others], [], Objective()).outcomes
    sums = outcomes[["asked", "by_model", "timed", "model_s"]].sum()
    assert sums.tolist() == [2.0, 2.0, 1.0, 0.02]


def lived(log: SqliteEventLog, shoppers: int) -> None:
    """Weeks of a shop in which `new` sells half as much again."""
    draw = np.random.default_rng(3)
    rankings, events = [], []
    for number in range(shoppers):
        arm, user = ("old", "new")[number % 2], f"u{number}"
        day = float(draw.uniform(0, 20))
        rankings.append(ranking(f"r{number}", user, arm, day=day))
        for purchase in range(draw.poisson(1.5 if arm == "new" else 1.0)):
            events.append(event(EventType.PURCHASE, user, day + 0.01 * (purchase + 1), 4.0))
    log.append_rankings(rankings)
    log.append(events)


def test_the_command_reads_a_real_log_and_finds_the_better_arm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    log = SqliteEventLog(tmp_path / "events.db")
    lived(log, 3_000)
    log.close()
    asked = ["of", "wider", "--state", str(tmp_path), "--out", str(tmp_path / "out")]
    asked += ["--until", str(NOW_S + 21 * DAY_S)]
    assert main(asked) == 0
    told = capsys.readouterr().out
    assert "new" in told
    assert (tmp_path / "out" / "experiment-wider.json").is_file()
    assert (tmp_path / "out" / "experiment-wider.png").stat().st_size > 10_000
    lift = told[told.index("reward") :]
    assert "+" in lift
    assert main(["of", "other", "--state", str(tmp_path)]) == 2
    assert "no experiment 'other'; declared: wider" in capsys.readouterr().err


def test_what_the_log_has_forgotten_is_read_from_the_archive(tmp_path: Path) -> None:
    store = StoreSettings(state=tmp_path, archive=str(tmp_path / "archive"))
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "store.json").write_text(store.model_dump_json())
    now_s = NOW_S + 20 * DAY_S
    log = SqliteEventLog(store.log_path, lambda: now_s)
    lived(log, 600)
    log.commit(CONSUMER, log.last_seq())
    asked = ["of", "wider", "--store", str(tmp_path / "store.json")]
    asked += ["--rules", str(tmp_path / "rules.yaml"), "--until", str(NOW_S + 21 * DAY_S)]

    def read() -> str:
        assert main([*asked, "--out", str(tmp_path / "out")]) == 0
        return (tmp_path / "out" / "experiment-wider.json").read_text()

    before = read()
    archive = Archive(str(tmp_path / "archive"))
    Archiver(log, archive, IngestSettings(store=store), clock=lambda: now_s).catch_up()
    assert read() == before  # what stands in both counts once
    while log.prune(now_s + 1):
        pass
    assert not log.read(0, 1)
    assert not log.read_rankings(0, 1)
    log.close()
    assert read() == before


def test_a_placement_s_part_is_what_shoppers_did_with_what_it_showed_last() -> None:
    rankings = [
        replace(ranking("r1", "ann", day=0), placement="home"),
        replace(ranking("r2", "ann", day=1), placement="cart"),
        ranking("r3", "ann", day=2),
    ]
    events = [
        event(EventType.PURCHASE, "ann", 0.5),
        event(EventType.PURCHASE, "ann", 1.5),
        event(EventType.PURCHASE, "ann", 1.6, ranking_id="r1"),
        event(EventType.PURCHASE, "ann", 2.5),  # shown last where no placement is
    ]
    placed = Placed.of(EXPERIMENT, ["home", "cart"], events)
    outcomes = data_of(EXPERIMENT, rankings, events, Objective(purchase=1.0), placed).outcomes
    sums = outcomes[["reward", "reward at home", "reward at cart"]].sum()
    assert sums.tolist() == [4.0, 2.0, 1.0]


def test_an_experiment_is_read_at_the_placements_that_it_is_drawn_at() -> None:
    aimed = EXPERIMENT.model_validate(
        {**EXPERIMENT.model_dump(exclude_unset=True), "targeting": {"placements": ["home"]}}
    )
    assert Placed.of(aimed, ["home", "cart"], []).placements == ("home",)
    assert Placed.of(EXPERIMENT, ["home", "cart"], []).placements == ("home", "cart")


def test_without_placements_the_log_is_read_once() -> None:
    def refused() -> Iterator[BehaviorEvent]:
        raise AssertionError("read")
        yield

    assert Placed.of(EXPERIMENT, [], refused()) == Placed()


def test_the_report_tells_by_placement_what_the_sum_hides() -> None:
    """The new arm takes from the cart what the home page gains."""
    draw, rankings = np.random.default_rng(4), []
    events: list[BehaviorEvent] = []
    for number in range(2_000):
        arm, user = ("old", "new")[number % 2], f"u{number}"
        for place, name in enumerate(("home", "cart")):
            one = ranking(f"{name}-{number}", user, arm, day=number / 2_000)
            rankings.append(replace(one, placement=name))
            gains = (arm == "new") == (place == 0)
            for _ in range(draw.poisson(2.0 if gains else 1.0)):
                bought = event(EventType.PURCHASE, user, 1.5, ranking_id=one.ranking_id)
                events.append(replace(bought, event_id=f"e{len(events)}"))
    placed = Placed.of(EXPERIMENT, ["home", "cart", "mail"], events)
    how = replace(plan_of(EXPERIMENT, placements=placed.placements), by_day=False)
    data = data_of(EXPERIMENT, rankings, events, Objective(), placed)
    (arm_read,) = read(how, data, NOW_S + 3 * DAY_S).arms
    told = {each.segment: each for each in arm_read.others if "placement" in each.segment}
    assert {name: each.finding for name, each in told.items()} == {
        "placement: home": "better", "placement: cart": "worse",
    }  # fmt: skip
    assert all(each.shoppers == (1_000, 1_000) for each in told.values())
    assert arm_read.deciding.finding == "open"
