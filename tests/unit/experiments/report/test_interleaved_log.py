"""An interleave is read from what the shop's own log holds of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.events.event import BehaviorEvent, EventType
from features.events.exposure import Exposure
from features.events.log import RankingRecord
from features.events.sqlite_log import SqliteEventLog
from features.objective import Objective
from serving.experiments.report.__main__ import main
from serving.experiments.report.interleaved.credit import Picks, picks_of
from serving.experiments.report.interleaved.reading import InterleavedReading, read
from serving.experiments.report.own_log import plan_of
from serving.experiments.report.shoppers import ExperimentDataError
from serving.shops.experiments import Experiment

NOW_S = 1_700_000_000.0
DAY_S = 86_400.0
ARMS = [{"key": "old"}, {"key": "new", "model_version": "8"}]
EXPERIMENT = Experiment.model_validate(
    {"key": "both", "kind": "interleave", "status": "running", "arms": ARMS}
)
RULES = """
experiments:
  - key: both
    kind: interleave
    status: running
    arms: [{key: old}, {key: new, model_version: "8"}]
"""


def ranking(
    number: str, user: str | None, teams: list[int] | None, day: float = 0.0,
    session: str | None = None, key: str = "both", version: int = 0, unit: str = "",
) -> RankingRecord:  # fmt: skip
    """Of the items i0, i1, ..., one a team; None: one arm ranked alone."""
    exposure = Exposure(key, "interleaved", "user", unit or user or "", version)
    items = tuple(f"i{place}" for place in range(2 if teams is None else len(teams)))
    return RankingRecord(
        number, NOW_S + day * DAY_S, "model", items, user, session, exposures=(exposure,),
        teams=None if teams is None else np.array(teams, np.int8),
        arms=() if teams is None else ("old", "new"),
    )  # fmt: skip


def event(
    kind: EventType, item: str, day: float, user: str | None = "ann", ranking_id: str | None = None,
    session: str | None = None, value: float | None = None,
) -> BehaviorEvent:  # fmt: skip
    name = f"{kind}-{user}-{session}-{item}-{day}-{ranking_id}"
    at_s = NOW_S + day * DAY_S
    return BehaviorEvent(name, kind, at_s, user, session, item, None, ranking_id, value=value)


def picks(
    rankings: list[RankingRecord], *events: BehaviorEvent, objective: Objective | None = None,
    experiment: Experiment = EXPERIMENT, until: float = 30.0,
) -> Picks:  # fmt: skip
    until_s = NOW_S + until * DAY_S
    return picks_of(experiment, rankings, events, objective or Objective(), until_s)


def credit(found: Picks) -> list[list[float]]:
    (last,) = found.credit([NOW_S + 30 * DAY_S])
    return last.tolist()  # type: ignore[no-any-return]


def test_an_event_counts_for_the_arm_that_picked_its_item_in_the_ranking_that_it_names() -> None:
    rankings = [ranking("r1", "ann", [0, 1, -1]), ranking("r2", "ann", [1, 0, -1], day=1)]
    found = picks(
        rankings,
        event(EventType.CLICK, "i0", 2, ranking_id="r1"),
        event(EventType.CLICK, "i0", 2, ranking_id="r2"),
        event(EventType.CLICK, "i1", 2, ranking_id="r2"),
        event(EventType.CLICK, "i2", 2, ranking_id="r2"),  # a rule's
        event(EventType.CLICK, "i9", 2, ranking_id="r2"),  # was not there
    )
    assert credit(found) == [[2.0, 1.0]]
    assert (found.rankings, found.interleaved) == (2, 2)


def test_the_credit_of_an_item_is_its_label_a_purchase_and_its_click_are_one_wish() -> None:
    objective = Objective(click=1, purchase=10, returned=-4, discount=0.5)
    rankings = [ranking("r1", "ann", [0, 1])]
    clicked = event(EventType.CLICK, "i1", 0, ranking_id="r1")
    bought = event(EventType.PURCHASE, "i1", 1, ranking_id="r1")
    returned = event(EventType.RETURN, "i1", 2, ranking_id="r1")
    assert credit(picks(rankings, clicked, objective=objective)) == [[0, 1]]
    assert credit(picks(rankings, clicked, bought, objective=objective)) == [[0, 5]]
    assert credit(picks(rankings, returned, bought, clicked, objective=objective)) == [[0, 4]]


def test_an_event_that_names_no_ranking_counts_where_its_item_was_last_shown_before_it() -> None:
    rankings = [
        ranking("r2", "ann", [1, 0], day=2, session="s1"),
        ranking("r1", "ann", [0, 1], day=0, session="s0"),
        ranking("r3", None, [1, 0], day=3, session="s1", unit="ann"),
    ]
    found = picks(
        rankings,
        event(EventType.PURCHASE, "i0", 1),  # of r1
        event(EventType.PURCHASE, "i0", 2.5),  # of r2
        event(EventType.PURCHASE, "i1", 4, user=None, session="s1"),  # of r3
        event(EventType.PURCHASE, "i0", -1),  # before all
        event(EventType.PURCHASE, "i0", 4, user="bob"),
        event(EventType.PURCHASE, "i7", 4),
    )
    assert [deed.place for deed in found.deeds] == [2, 0, 5]
    assert credit(found) == [[5.0 + 5.0, 5.0]]


def test_what_another_ranking_showed_is_that_rankings_even_when_the_item_is_the_same() -> None:
    rankings = [ranking("r1", "ann", [0, 1]), ranking("r2", "ann", None, day=1)]
    found = picks(rankings, event(EventType.CLICK, "i0", 2, ranking_id="r2"))
    assert (found.rankings, found.interleaved) == (2, 1)
    assert credit(found) == [[0.0, 0.0]]


def test_other_experiments_older_draws_and_what_comes_later_are_none_of_it() -> None:
    rankings = [
        ranking("r1", "ann", [0, 1]),
        ranking("r2", "bob", [0, 1], key="else"),
        ranking("r3", "cat", [0, 1], version=1),
        ranking("r4", "dan", [1, 0], day=9),
    ]
    late = event(EventType.CLICK, "i0", 9, ranking_id="r1")
    found = picks(rankings, late, until=5)
    assert (found.rankings, found.deeds) == (1, [])
    newer = EXPERIMENT.model_copy(update={"bucket_version": 1})
    assert picks(rankings, experiment=newer).rankings == 1


def test_a_log_that_cannot_be_read_says_why() -> None:
    with pytest.raises(ExperimentDataError, match="both: the log holds no interleaved ranking"):
        picks([])
    others = replace(ranking("r1", "ann", [0, 1]), arms=("old", "newer"))
    with pytest.raises(ExperimentDataError, match="old and newer, the rules as old and new"):
        picks([others])


def test_who_picks_first_is_counted_by_the_first_item_that_is_a_teams() -> None:
    rankings = [
        ranking("r1", "ann", [-1, 1, 0]), ranking("r2", "ann", [0, 1, -1], day=1),
        ranking("r3", "ann", [-1, -1], day=1),
    ]  # fmt: skip
    found = picks(rankings)
    assert [len(times) for times in found.first_s] == [1, 1]


def shop(
    n: int, liked: float, seed: int = 3, lost: float = 0.0
) -> tuple[list[RankingRecord], list[BehaviorEvent]]:
    """`n` shoppers with a slate of four and a click each, on the second arm's pick with the chance
    `liked`. lost: share of the rankings that begin with the second arm and are in no log."""
    rng = np.random.default_rng(seed)
    rankings, events = [], []
    for number in range(n):
        first = int(rng.integers(0, 2))
        teams = [first, 1 - first, *rng.permutation(2).tolist()]
        day = float(rng.uniform(0, 10))
        if first == 1 and rng.random() < lost:
            continue
        user = f"u{number}"
        rankings.append(ranking(f"r{number}", user, teams, day=day))
        team = int(rng.random() < liked)
        item = f"i{teams.index(team)}"
        events.append(event(EventType.CLICK, item, day + 0.01, user, ranking_id=f"r{number}"))
    return rankings, events


def reading(n: int, liked: float, lost: float = 0.0) -> InterleavedReading:
    rankings, events = shop(n, liked, lost=lost)
    found = picks(rankings, *events, until=11)
    return read(plan_of(EXPERIMENT), found, NOW_S + 11 * DAY_S)


@pytest.mark.parametrize(
    ("liked", "word", "begins"),
    [
        (0.65, "better", "Shoppers prefer new: it has 6"),
        (0.35, "worse", "Shoppers prefer old: new has 3"),
        (0.5, "open", "Not decided: new has "),
    ],
)
def test_the_verdict_says_whom_shoppers_prefer_and_leaves_the_earning_to_an_ab_test(
    liked: float, word: str, begins: str
) -> None:
    found = reading(1_000, liked)
    assert found.verdict.word == word
    assert found.verdict.sentence.startswith(begins)
    assert ("an A/B test says" in found.verdict.sentence) is (word == "better")
    assert found.interleaving is not None
    assert found.interleaving.shoppers == 1_000
    assert found.by_day[-1].share == found.interleaving.share
    widths = [point.high - point.low for point in found.by_day]
    assert widths == sorted(widths, reverse=True)
    assert sum(team.clicks for team in found.teams) == sum(team.credit for team in found.teams)
    assert [team.picks for team in found.teams] == [2_000, 2_000]


def test_too_few_shoppers_are_too_few_for_a_verdict() -> None:
    found = reading(60, 0.9)
    assert (found.verdict.word, found.interleaving, found.by_day) == ("open", None, ())
    assert "60 did anything" in found.verdict.sentence


def test_when_one_arm_picks_first_too_often_nothing_else_is_read() -> None:
    found = reading(3_000, 0.7, lost=0.4)
    assert found.sample_ratio.state == "mismatch"
    assert (found.verdict.word, found.interleaving, found.by_day) == ("do not read", None, ())
    assert "which rankings were lost" in found.verdict.sentence


@pytest.mark.parametrize(("lost", "status"), [(0.0, 0), (0.5, 1)])
def test_the_command_reads_a_real_log_writes_it_down_and_tells_the_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lost: float, status: int
) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    rankings, events = shop(2_500, 0.6, lost=lost)
    log = SqliteEventLog(tmp_path / "events.db")
    log.append_rankings(rankings)
    log.append(events)
    log.close()
    asked = ["of", "both", "--state", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([*asked, "--until", str(NOW_S + 11 * DAY_S)]) == status
    told = capsys.readouterr().out
    written = json.loads((tmp_path / "out" / "experiment-both.json").read_text())
    assert (tmp_path / "out" / "experiment-both.png").stat().st_size > 10_000
    assert written["verdict"]["word"] == ("better" if status == 0 else "do not read")
    assert written["verdict"]["sentence"][:40] in told
    assert [team["arm"] for team in written["teams"]] == ["old", "new"]
    assert (written["interleaving"] is None) is (status == 1)
