"""What is declared by API stands beside the rules on all replicas, or changes nothing."""

from typing import Any

import pytest

from serving.errors import (
    ConflictError,
    InvalidRequestError,
    ModelUnavailableError,
    RankingError,
    UnknownExperimentError,
)
from serving.shops.experiments import Experiment
from serving.shops.rules import Rules
from serving.shops.steering.decision import Action
from serving.shops.steering.declared import AT_MOST
from serving.shops.steering.in_force import in_force
from serving.shops.steering.steering import Steering
from serving.types import Route
from tests.support.fakes import FakeControls

FIRST_HALF, SECOND_HALF = ({"id": "page", "range": part} for part in ([0, 0.5], [0.5, 1]))
RANKER: dict[str, Any] = {
    "key": "ranker", "status": "running", "namespace": FIRST_HALF,
    "arms": [{"key": "old"}, {"key": "new", "model_version": "8"}],
}  # fmt: skip
WIDER: dict[str, Any] = {
    "key": "wider", "status": "running", "coverage": 0.2,
    "arms": [{"key": "control"}, {"key": "spread", "rules": {"diversity": {"max_same": 2}}}],
}  # fmt: skip
SHADOW: dict[str, Any] = {
    "key": "try", "kind": "shadow", "status": "running", "gate": {},
    "arms": [{"key": "new", "model_version": "8"}],
}  # fmt: skip
OF_ITS_ARMS = ("decision", "gate", "reading", "begun")
NO_FORM = "arms: hold a number that JSON has no form for"


class Replicas:
    """Two over one store, with `ranker` in their rules and version 8 beside the one in use."""

    def __init__(self) -> None:
        self.now_s = 1_790_000_000.0
        self.controls = FakeControls()
        self.offered: list[str] | RankingError = ["8"]
        self.one, self.other = self.another(), self.another()

    def another(self, **rules: Any) -> Steering:
        declared = Rules.model_validate({"experiments": [RANKER], **rules})
        steering = Steering(declared, self.controls, lambda: self.now_s, self._served)
        steering.follow()
        return steering

    def _served(self) -> list[str]:
        if isinstance(self.offered, RankingError):
            raise self.offered
        return self.offered

    def declare(self, definition: dict[str, Any], **changes: Any) -> None:
        self.one.declare(Experiment.model_validate({**definition, **changes}))

    def refused(
        self, definition: dict[str, Any], error: type[Exception] = ConflictError, **changes: Any
    ) -> str:
        """The message; nothing has changed."""
        before = dict(self.controls.documents)
        with pytest.raises(error) as caught:
            self.declare(definition, **changes)
        assert self.controls.documents == before
        return str(caught.value)

    def know_of_wider(self) -> None:
        """Its second arm is promoted; all that replicas and jobs keep of it is there."""
        if "wider" in self.one.in_force.entries:
            self.one.decide("wider", Action.PROMOTE, "spread", "")
        for kind in OF_ITS_ARMS[1:]:
            self.controls.put(kind, "wider", {"version": "8", "passed_at": None})

    def known_of_wider(self) -> list[str]:
        return [kind for kind in OF_ITS_ARMS if "wider" in self.controls.all(kind)]

    def counts(self, arm: str, n: int, route: Route) -> None:
        for _ in range(n):
            self.one.tally.ranked([("wider", arm)], route, None, 0.01)
        self.one.tell()


@pytest.fixture
def replicas() -> Replicas:
    return Replicas()


def keys(steering: Steering) -> list[str]:
    return [each.key for each in steering.rules.experiments]


def drawing(steering: Steering) -> list[str]:
    return [each.key for each in steering.standing.drawing(steering.rules.experiments)]


def test_what_one_replica_is_told_is_in_force_on_all_and_after_a_restart(
    replicas: Replicas,
) -> None:
    replicas.declare(WIDER)
    replicas.other.follow()
    for steering in (replicas.one, replicas.other, replicas.another()):
        assert drawing(steering) == ["ranker", "wider"]
        entry = steering.in_force.entries["wider"]
        assert (entry.by, entry.at) == ("admin", "2026-09-21T14:13:20+00:00")
    replicas.other.end("wider")
    replicas.one.follow()
    for steering in (replicas.one, replicas.other, replicas.another()):
        assert drawing(steering) == ["ranker"]


def test_what_has_not_changed_is_not_replaced(replicas: Replicas) -> None:
    replicas.declare(WIDER)
    rules, entry = replicas.one.rules, replicas.one.in_force.entries["wider"]
    replicas.now_s += 60
    replicas.declare(WIDER)
    replicas.one.follow()
    assert replicas.one.rules is rules
    assert replicas.one.in_force.entries["wider"] == entry


@pytest.mark.parametrize(
    ("arm", "told"),
    [
        ({"rules": {"diversity": {"windw": 3}}}, "arms.1.rules.diversity.windw: "),
        ({"rules": {"synonyms": []}}, "arms.1.rules.synonyms: is the shop's"),
        ({"rules": {"cold_start": {"newness_days": float("inf")}}}, NO_FORM),
        ({"rules": {"diversity": {"max_same": 10**30}}}, NO_FORM),
    ],
)
def test_an_arm_that_cannot_be_is_refused_by_field(
    replicas: Replicas, arm: dict[str, Any], told: str
) -> None:
    arms = [{"key": "a"}, {"key": "b", **arm}]
    assert replicas.refused(WIDER, InvalidRequestError, arms=arms).startswith(told)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"key": "ranker"}, "key: 'ranker' is declared by the rules"),
        ({"after": "nothing"}, "after: names no shadow with a gate"),
        (
            {"arms": RANKER["arms"]},
            "namespace: 'ranker' and 'wider' both change model_version and may meet",
        ),
        (
            {"namespace": {"id": "page", "range": [0.4, 1]}},
            "namespace: 'ranker' and 'wider' overlap in the namespace 'page'",
        ),
        (
            {"namespace": SECOND_HALF, "arms": [{"key": "a"}, {"key": "b", "model_version": "9"}]},
            "arms.1.model_version: '9' is not served beside the version in use; 8 is",
        ),
    ],
)
def test_what_cannot_stand_beside_the_rules_is_refused_by_field(
    replicas: Replicas, changes: dict[str, Any], told: str
) -> None:
    assert replicas.refused(WIDER, **changes).startswith(told)


def test_what_was_declared_by_api_is_refused_beside_each_other_too(replicas: Replicas) -> None:
    replicas.declare(WIDER)
    told = replicas.refused(WIDER, key="narrow")
    assert told.startswith("namespace: 'wider' and 'narrow' both change diversity")
    replicas.declare(WIDER, key="narrow", status="draft")


def test_a_shop_has_so_many_experiments_at_most(replicas: Replicas) -> None:
    for number in range(AT_MOST - 1):
        replicas.declare(WIDER, key=f"n{number}", status="draft")
    assert replicas.refused(WIDER) == f"key: a shop has {AT_MOST} experiments at most"
    replicas.declare(WIDER, key="n3", status="draft", coverage=0.5)


def test_a_definition_that_replicas_would_read_for_long_is_refused(replicas: Replicas) -> None:
    buries = [{"match": {"item_id": str(number)}, "reason": "x" * 99} for number in range(3_000)]
    arms = [{"key": "a"}, {"key": "b", "rules": {"buries": buries}}]
    assert "bytes together" in replicas.refused(WIDER, arms=arms)


def test_while_the_model_server_is_down_a_version_is_taken_at_its_word(replicas: Replicas) -> None:
    replicas.offered = ModelUnavailableError("down")
    arms = [{"key": "old"}, {"key": "new", "model_version": "9"}]
    replicas.declare(WIDER, arms=arms, namespace=SECOND_HALF)
    assert drawing(replicas.one) == ["ranker", "wider"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"arms": [{**arm, "weight": w} for arm, w in zip(WIDER["arms"], (0.9, 0.1), strict=True)]},
         "arms"),
        ({"arms": [WIDER["arms"][0], {"key": "spread", "rules": {"diversity": {"max_same": 3}}}]},
         "arms"),
        ({"arms": WIDER["arms"][::-1]}, "arms"),
        ({"seed": "other"}, "seed"),
        ({"namespace": SECOND_HALF}, "namespace"),
        ({"targeting": {"requests": ["search"]}}, "targeting"),
        ({"coverage": 0.1}, "coverage"),
    ],
)  # fmt: skip
def test_whoever_was_drawn_keeps_an_arm_until_a_higher_bucket_version(
    replicas: Replicas, changes: dict[str, Any], field: str
) -> None:
    replicas.declare(WIDER)
    told = replicas.refused(WIDER, **changes)
    assert told.startswith(f"{field}: shoppers were drawn ")
    assert "raise bucket_version" in told
    replicas.declare(WIDER, **changes, bucket_version=1)
    assert replicas.refused(WIDER).startswith("bucket_version: 1 has drawn shoppers")


def test_what_moves_nobody_may_change_while_it_runs(replicas: Replicas) -> None:
    replicas.declare(WIDER)
    arms = [{**arm, "weight": 0.5} for arm in WIDER["arms"]]
    replicas.declare(WIDER, coverage=0.5, guard=None, arms=arms, seed="wider")
    assert replicas.one.rules.experiments[1].coverage == 0.5


def test_neither_a_stop_nor_a_deletion_between_makes_another_experiment_of_a_key(
    replicas: Replicas,
) -> None:
    replicas.declare(WIDER)
    replicas.declare(WIDER, status="stopped")
    replicas.declare(WIDER, status="draft", seed="other")
    assert replicas.refused(WIDER, seed="other").startswith("seed: ")
    replicas.one.end("wider")
    assert replicas.refused(WIDER, seed="other").startswith("seed: ")
    replicas.declare(WIDER)
    assert drawing(replicas.one) == ["ranker", "wider"]


def test_an_experiment_that_another_waits_for_stays(replicas: Replicas) -> None:
    replicas.declare(SHADOW)
    replicas.declare(WIDER, after="try")
    assert replicas.refused(SHADOW, gate=None) == "key: 'wider' waits for its gate"
    with pytest.raises(ConflictError, match="'wider' waits for its gate"):
        replicas.one.end("try")
    replicas.one.end("wider")
    replicas.one.end("try")
    assert keys(replicas.one) == ["ranker"]


def test_what_was_decided_and_read_ends_with_the_experiment(replicas: Replicas) -> None:
    replicas.declare(WIDER)
    replicas.know_of_wider()
    replicas.one.end("wider")
    assert replicas.known_of_wider() == []
    replicas.know_of_wider()  # by a replica that had not heard of the end
    replicas.declare(WIDER)
    assert replicas.known_of_wider() == []
    assert drawing(replicas.one) == ["ranker", "wider"]


@pytest.mark.parametrize(
    "changes",
    [
        {"bucket_version": 1, "arms": [{"key": "a"}, {"key": "spread", "rules": {"pins": []}}]},
        {"kind": "shadow", "gate": {}, "arms": SHADOW["arms"]},
    ],
)
def test_what_was_decided_and_read_ends_with_the_arms_that_it_is_of(
    replicas: Replicas, changes: dict[str, Any]
) -> None:
    replicas.declare(WIDER)
    replicas.know_of_wider()
    replicas.declare(WIDER, guard=None)
    replicas.declare(WIDER, status="stopped")
    replicas.declare(WIDER)
    assert replicas.known_of_wider() == list(OF_ITS_ARMS)
    replicas.declare(WIDER, **changes)
    assert replicas.known_of_wider() == []
    assert replicas.one.standing.promoted(replicas.one.rules.experiments) == []


def test_what_is_kept_goes_only_once_the_declaration_stands() -> None:
    class Overtaken(FakeControls):
        """Somebody else declares the same and decides, once."""

        overtaken = False

        def swap(self, kind: str, key: str, before: Any, document: Any) -> bool:
            if not self.overtaken:
                self.overtaken = True
                other = Steering(Rules(), self)
                other.declare(Experiment.model_validate(WIDER))
                other.decide("wider", Action.STOP, None, "")
            return super().swap(kind, key, before, document)

        def delete(self, kind: str, key: str) -> None:
            assert key in self.all("declared").get("all", {})
            super().delete(kind, key)

    controls = Overtaken()
    Steering(Rules(), controls).declare(Experiment.model_validate(WIDER))
    assert controls.all("decision")["wider"]["action"] == "stop"


def test_what_arms_did_before_they_were_declared_so_is_not_judged(replicas: Replicas) -> None:
    replicas.declare(WIDER)
    replicas.counts("control", 300, Route.MODEL)
    replicas.counts("spread", 300, Route.FALLBACK)
    replicas.now_s += 1
    replicas.declare(WIDER, bucket_version=1, seed="other")
    replicas.one.judge()
    assert replicas.controls.all("decision") == {}
    replicas.counts("control", 300, Route.MODEL)
    replicas.counts("spread", 300, Route.FALLBACK)
    replicas.one.judge()
    decided = replicas.controls.all("decision")["wider"]
    assert (decided["action"], decided["by"]) == ("stop", "policy")


def test_only_what_was_declared_by_api_is_deleted(replicas: Replicas) -> None:
    with pytest.raises(ConflictError, match="'ranker' is declared by the rules"):
        replicas.one.end("ranker")
    with pytest.raises(UnknownExperimentError):
        replicas.one.end("wider")


def test_of_two_replicas_that_are_told_at_once_neither_loses_what_the_other_was_told(
    replicas: Replicas,
) -> None:
    class Overtaken(FakeControls):
        """Somebody else is quicker, once."""

        quicker: dict[str, Any] | None = WIDER

        def swap(self, kind: str, key: str, before: Any, document: Any) -> bool:
            if self.quicker is not None:
                quicker, self.quicker = self.quicker, None
                Steering(Rules(), self).declare(Experiment.model_validate(quicker))
            return super().swap(kind, key, before, document)

    controls = Overtaken()
    steering = Steering(Rules(), controls)
    with pytest.raises(ConflictError, match="'wider' and 'narrow' both change diversity"):
        steering.declare(Experiment.model_validate({**WIDER, "key": "narrow"}))
    controls.quicker = {**WIDER, "coverage": 0.5}
    steering.declare(Experiment.model_validate({**WIDER, "key": "narrow", "status": "draft"}))
    assert keys(steering) == ["wider", "narrow"]
    assert steering.rules.experiments[0].coverage == 0.5


def test_what_no_longer_fits_the_rules_is_left_out_and_told_until_it_is_mended(
    replicas: Replicas,
) -> None:
    replicas.declare(WIDER)
    replicas.declare(SHADOW)
    changed = {**WIDER, "key": "theirs"}
    later = replicas.another(experiments=[changed, {**RANKER, "key": "try"}])
    assert keys(later) == ["theirs", "try"]
    assert "both change diversity" in later.in_force.left_out["wider"]
    assert later.in_force.left_out["try"] == "key: two have the key 'try'"
    later.end("wider")
    assert "wider" not in later.in_force.left_out


def test_what_another_release_wrote_is_left_out_by_one_that_does_not_know_it(
    replicas: Replicas,
) -> None:
    replicas.declare(WIDER)
    document = replicas.controls.documents["declared"]["all"]
    document["wider"]["definition"] = {**WIDER, "bandit": True}
    found = in_force(Rules(), replicas.controls)
    assert found.rules.experiments == []
    assert found.left_out["wider"].startswith("bandit: ")


@pytest.mark.parametrize("lacking", ["definition", "by", "at", "epoch_ms", "drawn"])
def test_what_another_release_wrote_without_a_field_is_left_out_until_it_is_mended(
    replicas: Replicas, lacking: str
) -> None:
    replicas.declare(WIDER)
    replicas.declare(SHADOW)
    document = replicas.controls.documents["declared"]["all"]
    del document["wider"][lacking]
    started = replicas.another()
    assert keys(started) == ["ranker", "try"]
    assert started.in_force.left_out == {"wider": f"{lacking}: another release wrote it without"}
    replicas.declare(WIDER)
    assert keys(replicas.another()) == ["ranker", "wider", "try"]
    del replicas.controls.documents["declared"]["all"]["wider"][lacking]
    replicas.another().end("wider")
    assert keys(replicas.another()) == ["ranker", "try"]
