"""Replicas follow what one of them, or a policy, has decided."""

import time
from typing import Any

import pytest

from features.controls.shops import DEFAULT_SHOP
from serving.errors import ModelUnavailableError, RankingError
from serving.shops.rules import Rules
from serving.shops.steering.counts import LIVE
from serving.shops.steering.decision import Action, DecisionError
from serving.shops.steering.steering import Steering
from serving.telemetry.metrics import EXPERIMENT_DECISIONS
from serving.types import Route
from tests.support.fakes import FakeControls

RANKER: dict[str, Any] = {
    "key": "ranker", "status": "running",
    "arms": [{"key": "old"}, {"key": "new", "model_version": "8"}],
}  # fmt: skip
SHADOW: dict[str, Any] = {
    "key": "try", "kind": "shadow", "status": "running", "gate": {"compared": 100},
    "arms": [{"key": "new", "model_version": "8"}],
}  # fmt: skip
DAY_S = 86_400.0


class Replicas:
    """Some over one store, at a time that the test says."""

    def __init__(self, *experiments: dict[str, Any], n: int = 2) -> None:
        self.now_s = 1_790_000_000.0
        self.controls = FakeControls()
        self.offered: list[str] = []
        self.model_error: RankingError | None = None
        self.rules = Rules.model_validate({"experiments": list(experiments)})
        self.all = [self.another() for _ in range(n)]

    def another(self) -> Steering:
        steering = Steering(self.rules, self.controls, lambda: self.now_s, self._candidates)
        steering.follow()
        return steering

    def _candidates(self) -> list[str]:
        if self.model_error:
            raise self.model_error
        return self.offered

    def rank(self, arm: str, n: int, route: Route = Route.MODEL, seconds: float = 0.01) -> None:
        """Each replica `n`, which are told at once."""
        for replica in self.all:
            for _ in range(n):
                replica.tally.ranked([("ranker", arm)], route, None, seconds)
            replica.tell()

    def judge(self) -> None:
        for replica in self.all:
            replica.look()
            replica.follow()
            replica.judge()

    @property
    def decision(self) -> dict[str, Any] | None:
        return self.controls.all("decision").get("ranker")


def decided(action: str, by: str) -> float:
    return EXPERIMENT_DECISIONS.labels(DEFAULT_SHOP, action, by)._value.get()  # type: ignore[no-any-return]


def test_a_decision_on_one_replica_is_followed_by_the_others_and_after_a_restart() -> None:
    replicas = Replicas(RANKER)
    one, other = replicas.all
    before = decided("promote", "admin")
    one.decide("ranker", Action.PROMOTE, "new", "it earns more")
    other.follow()
    assert one.standing == other.standing == replicas.another().standing
    decision = other.standing.decisions["ranker"]
    assert (decision.action, decision.arm, decision.why, decision.by, decision.at) == (
        "promote", "new", "it earns more", "admin", "2026-09-21T14:13:20+00:00",
    )  # fmt: skip
    assert decided("promote", "admin") == before + 1


def test_what_did_not_change_is_not_replaced() -> None:
    (replica,) = Replicas(RANKER, n=1).all
    replica.decide("ranker", Action.STOP, None, "")
    stands = replica.standing
    replica.follow()
    assert replica.standing is stands


def test_a_decision_that_does_not_fit_is_not_kept() -> None:
    replicas = Replicas(RANKER)
    with pytest.raises(DecisionError, match="arm"):
        replicas.all[0].decide("ranker", Action.PROMOTE, "newest", "")
    assert replicas.decision is None


def test_the_last_known_decisions_stand_while_the_store_is_down() -> None:
    replicas = Replicas(RANKER, n=1)
    replica = replicas.all[0]
    replica.start()
    try:
        replicas.controls.error = OSError("down")
        time.sleep(0.7)
        assert replica.standing.decisions == {}
        replicas.controls.error = None
        replicas.another().decide("ranker", Action.STOP, None, "")
        deadline_s = time.monotonic() + 5
        while not replica.standing.decisions and time.monotonic() < deadline_s:
            time.sleep(0.02)
        assert replica.standing.decisions["ranker"].action is Action.STOP
        replicas.controls.error = OSError("down")
        time.sleep(0.7)
        assert replica.standing.decisions["ranker"].action is Action.STOP
    finally:
        replica.stop()


def test_an_arm_that_fails_is_stopped_once_by_whichever_replica_looks_first() -> None:
    replicas = Replicas(RANKER)
    before = decided("stop", "policy")
    replicas.rank("old", 150)
    replicas.rank("new", 150, Route.FALLBACK)
    replicas.judge()
    decision = replicas.decision
    assert decision is not None
    assert (decision["action"], decision["by"]) == ("stop", "policy")
    assert "100.0% of 300 rankings are fallbacks" in decision["why"]
    assert decided("stop", "policy") == before + 1
    assert all(one.standing.action(one._by_key["ranker"]) is Action.STOP for one in replicas.all)


def test_a_guard_that_is_null_stops_nothing() -> None:
    replicas = Replicas({**RANKER, "guard": None})
    replicas.rank("old", 150)
    replicas.rank("new", 150, Route.FALLBACK)
    replicas.judge()
    assert replicas.decision is None


def test_an_interleave_is_stopped_when_its_slates_fall_back() -> None:
    replicas = Replicas({**RANKER, "kind": "interleave"})
    replicas.rank("interleaved", 150)
    replicas.judge()
    assert replicas.decision is None
    replicas.rank("interleaved", 100, Route.FALLBACK)
    replicas.judge()
    assert replicas.decision is not None
    assert (replicas.decision["action"], replicas.decision["by"]) == ("stop", "policy")


def test_what_is_resumed_is_judged_by_what_it_does_then() -> None:
    replicas = Replicas(RANKER)
    replicas.rank("old", 150)
    replicas.rank("new", 150, Route.FALLBACK)
    replicas.judge()
    replicas.now_s += 5
    replicas.all[1].decide("ranker", Action.RESUME, None, "mended")
    replicas.judge()
    assert replicas.decision is not None
    assert replicas.decision["action"] == "resume"
    replicas.rank("old", 150)
    replicas.rank("new", 150, Route.FALLBACK)
    replicas.judge()
    assert replicas.decision["action"] == "stop"


def test_a_promoted_arm_that_gets_worse_is_rolled_back() -> None:
    replicas = Replicas(RANKER)
    replicas.rank("old", 200, seconds=0.02)
    replicas.rank("new", 200, seconds=0.02)
    replicas.all[0].decide("ranker", Action.PROMOTE, "new", "")
    replicas.judge()
    replicas.rank(":new", 300, seconds=0.021)
    replicas.judge()
    assert replicas.decision is not None
    assert replicas.decision["action"] == "promote"
    replicas.now_s += 180  # what was well is behind the shortest window
    replicas.rank(":new", 150, Route.FALLBACK)
    replicas.judge()
    assert (replicas.decision["action"], replicas.decision["by"]) == ("stop", "policy")


def test_somebody_who_decides_while_a_policy_looks_is_not_overruled() -> None:
    replicas = Replicas(RANKER)
    replicas.rank("old", 150)
    replicas.rank("new", 150, Route.FALLBACK)
    late = replicas.all[1]  # has not followed
    replicas.now_s += 1
    replicas.all[0].decide("ranker", Action.PROMOTE, "new", "")
    late.judge()
    assert replicas.decision is not None
    assert replicas.decision["action"] == "promote"


def compare(
    replicas: Replicas, n: int, outcome: str = "ok", overlap: float = 0.6, key: str = "try"
) -> None:
    """Each replica `n`."""
    for replica in replicas.all:
        for _ in range(n):
            replica.tally.compared(key, outcome, overlap if outcome == "ok" else 0.0)
        replica.tell()
        replica.follow()


def test_a_shadow_passes_its_gate_when_all_replicas_have_compared_enough() -> None:
    replicas = Replicas(SHADOW, {**RANKER, "after": "try"})
    for _ in range(4):
        compare(replicas, 10)
        assert not any(one.standing.drawing(one._by_key.values()) for one in replicas.all)
    compare(replicas, 10)
    replicas.all[0].follow()
    for one in replicas.all:
        assert [each.key for each in one.standing.drawing(one._by_key.values())] == ["ranker"]
    shown = replicas.all[0].shown(replicas.rules.experiments[0])
    assert shown is not None
    assert (shown["compared"], shown["failed"], shown["overlap"]) == (100, 0, 0.6)
    assert shown["passed_at"] == "2026-09-21T14:13:20+00:00"


def test_a_shadow_that_fails_begins_anew_and_may_pass_then() -> None:
    replicas = Replicas(SHADOW, n=1)
    compare(replicas, 95)
    compare(replicas, 5, "deadline")
    shown = replicas.all[0].shown(replicas.rules.experiments[0])
    assert shown is not None
    assert (shown["compared"], shown["rounds"], shown["passed_at"]) == (0, 1, None)
    assert shown["last"] == {"at": "2026-09-21T14:13:20+00:00", "failed": 0.05, "overlap": 0.6}
    compare(replicas, 100)
    assert replicas.all[0].standing.passed == {"try"}


def test_a_shadow_whose_orders_have_nothing_in_common_does_not_pass() -> None:
    replicas = Replicas(SHADOW, n=1)
    compare(replicas, 100, overlap=0.1)
    shown = replicas.all[0].shown(replicas.rules.experiments[0])
    assert shown is not None
    assert (shown["rounds"], shown["passed_at"]) == (1, None)


def test_another_version_must_pass_again() -> None:
    replicas = Replicas(SHADOW, n=1)
    compare(replicas, 100)
    assert replicas.all[0].standing.passed == {"try"}
    newer = Rules.model_validate(
        {"experiments": [{**SHADOW, "arms": [{"key": "new", "model_version": "9"}]}]}
    )
    later = Steering(newer, replicas.controls, lambda: replicas.now_s)
    later.follow()
    assert later.standing.passed == frozenset()


READING = {
    "verdict": {"word": "better", "sentence": "Promote new: its reward is better."},
    "arms": [
        {"arm": "worse", "deciding": {"lift": 0.9}, "verdict": {"word": "open", "sentence": ""}},
        {"arm": "new", "deciding": {"lift": 0.1},
         "verdict": {"word": "better", "sentence": "Promote new: its reward is better."}},
    ],
}  # fmt: skip


def test_an_arm_that_is_read_to_be_better_is_promoted_after_the_declared_days() -> None:
    replicas = Replicas({**RANKER, "promote": {"when": "better", "after_days": 14}})
    replicas.judge()  # it begins
    replicas.controls.put("reading", "ranker", READING)
    replicas.now_s += 13 * DAY_S
    replicas.judge()
    assert replicas.decision is None
    replicas.now_s += DAY_S
    replicas.judge()
    assert replicas.decision is not None
    assert (replicas.decision["action"], replicas.decision["arm"], replicas.decision["by"]) == (
        "promote", "new", "policy",
    )  # fmt: skip
    assert replicas.decision["why"] == "Promote new: its reward is better."


@pytest.mark.parametrize("word", ["open", "worse", "do not read", "guard rail broken"])
def test_any_other_reading_promotes_nothing(word: str) -> None:
    replicas = Replicas({**RANKER, "promote": {"after_days": 1}}, n=1)
    replicas.judge()
    replicas.controls.put("reading", "ranker", {**READING, "verdict": {"word": word}})
    replicas.now_s += 40 * DAY_S
    replicas.judge()
    assert replicas.decision is None


@pytest.mark.parametrize(
    ("told", "version", "promoted"),
    [({"bucket_version": 1}, 1, True), ({"bucket_version": 0}, 1, False),
     ({}, 1, False), ({}, 0, True)],
)  # fmt: skip
def test_only_a_reading_of_the_shoppers_that_are_drawn_now_promotes(
    told: dict[str, int], version: int, promoted: bool
) -> None:
    ranker = {**RANKER, "bucket_version": version, "promote": {"after_days": 1}}
    replicas = Replicas(ranker, n=1)
    replicas.judge()
    replicas.controls.put("reading", "ranker", {**READING, **told})
    replicas.now_s += 2 * DAY_S
    replicas.judge()
    assert (replicas.decision is not None) is promoted


NEWEST: dict[str, Any] = {
    **SHADOW, "key": "newest", "arms": [{"key": "new", "model_version": "candidate"}],
    "promote": {"when": "passed"},
}  # fmt: skip


def test_each_new_candidate_is_compared_and_taken_into_use_when_it_has_passed() -> None:
    replicas = Replicas(NEWEST)
    one, other = replicas.all

    def ranked_by() -> list[str | None]:
        found = [each.standing.promoted(each._by_key.values()) for each in replicas.all]
        return [promoted[0][1].model_version if promoted else None for promoted in found]

    def compared() -> list[str | None]:
        found = [each.standing.shadowing(each._by_key.values()) for each in replicas.all]
        return [shadows[0].arms[0].model_version if shadows else None for shadows in found]

    replicas.judge()
    assert compared() == [None, None]
    for version in ("9", "10"):
        replicas.offered.append(version)
        replicas.judge()
        assert compared() == [version, version]
        compare(replicas, 50, key="newest")
        replicas.now_s += 5
        replicas.judge()
        other.follow()
        assert ranked_by() == [version, version]
        assert compared() == [None, None]
    decision = one.standing.decisions["newest"]
    assert (decision.by, decision.why) == ("policy", "10 has passed the gate")


def test_a_version_that_was_taken_into_use_by_its_gate_is_rolled_back_and_not_tried_again() -> None:
    replicas = Replicas(NEWEST)
    replicas.offered.append("9")
    replicas.judge()
    for replica in replicas.all:
        for _ in range(200):
            replica.tally.ranked([("newest", LIVE)], Route.MODEL, None, 0.01)
    compare(replicas, 50, key="newest")
    replicas.now_s += 5
    replicas.judge()
    for replica in replicas.all:
        replica.follow()
        for _ in range(200):
            replica.tally.ranked([("newest", ":new")], Route.FALLBACK, None, None)
        replica.tell()
    replicas.judge()
    stands = replicas.controls.all("decision")["newest"]
    assert (stands["action"], stands["by"]) == ("stop", "policy")
    assert "0.0% of control's" in stands["why"]
    replicas.judge()
    assert replicas.controls.all("decision")["newest"] == stands


def test_a_model_server_that_does_not_answer_changes_no_candidate() -> None:
    replicas = Replicas(NEWEST, n=1)
    replicas.offered.append("9")
    replicas.judge()
    replicas.model_error = ModelUnavailableError("down")
    replicas.judge()
    assert replicas.all[0].standing.candidate == "9"
    replicas.model_error = None
    replicas.offered.clear()
    replicas.judge()
    assert replicas.all[0].standing.candidate is None


def test_a_replica_that_cannot_read_what_stands_does_not_start() -> None:
    replicas = Replicas(n=1)
    replicas.controls.error = OSError("down")
    with pytest.raises(OSError, match="down"):
        Steering(replicas.rules, replicas.controls).start()


def test_what_an_administrator_writes_as_the_reason_reaches_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (replica,) = Replicas(RANKER, n=1).all
    with caplog.at_level("DEBUG"):
        replica.decide("ranker", Action.STOP, None, "ann@example.org has complained")
    assert "ranker: stop by admin" in caplog.text
    assert "ann" not in caplog.text
