"""What a decision changes for those who are ranked: the arms drawn, the rules, the version."""

from dataclasses import replace
from typing import Any

import pytest

from serving.experiments.assignment import Assigner, Unit
from serving.experiments.draw import Asked, shadows_of
from serving.shops.rules import Rules
from serving.shops.steering.decision import Action, Decision, DecisionError, Standing, fit

ASKED = Asked("search", "en-GB", "home", known=True)
NEW = {"key": "new", "model_version": "8"}
NEWEST = {"key": "new", "model_version": "candidate"}
SPREAD = {"key": "spread", "rules": {"diversity": {"max_same": 1}}}
RANKER = {"key": "ranker", "status": "running", "arms": [{"key": "old"}, NEW]}
ROWS = {"key": "rows", "status": "running", "arms": [{"key": "control"}, SPREAD]}
SHADOW = {"key": "try", "kind": "shadow", "status": "running", "arms": [NEW]}
PARTS = {"id": "n", "range": [0, 0.5]}, {"id": "n", "range": [0.5, 1]}
CHANCE = {"key": "chance", "rules": {"exploration": {"choice": "thompson", "epsilon": 0.2}}}
EVENLY = {"key": "evenly", "rules": {"exploration": {"choice": "evenly"}}}
DRAWS, EVEN = (
    {**ROWS, "key": key, "namespace": part, "arms": [{"key": "usual"}, arm]}
    for key, part, arm in zip(("draws", "even"), PARTS, (CHANCE, EVENLY), strict=True)
)
USERS = [Unit("user", f"{number:032x}") for number in range(60)]


def rules_of(*experiments: dict[str, Any], **sections: Any) -> Rules:
    return Rules.model_validate({"experiments": list(experiments), **sections})


def standing(**decided: str | None) -> Standing:
    """By experiment: the promoted arm, or None for one that is stopped."""
    return Standing(
        {
            key: Decision(Action.PROMOTE if arm else Action.STOP, arm, "", "admin", at, number)
            for number, (key, arm) in enumerate(decided.items(), start=1)
            for at in [f"2026-11-0{number}T00:00:00+00:00"]
        }
    )


def variants(rules: Rules, stands: Standing) -> set[str]:
    drawing = Assigner(rules, "default", stands)
    return {drawing.assign(unit, ASKED).variant for unit in USERS}


def test_a_stopped_experiment_draws_nobody_and_another_goes_on() -> None:
    rules = rules_of(RANKER, ROWS)
    assert variants(rules, standing(ranker=None)) == {"rows/control", "rows/spread"}
    drawing = Assigner(rules, "default", standing(ranker=None, rows=None))
    for unit in USERS:
        assignment = drawing.assign(unit, ASKED)
        assert assignment.rules is rules
        assert (assignment.exposures, assignment.model_version) == ((), None)


def test_a_promoted_arm_ranks_everyone_and_exposes_nobody() -> None:
    rules = rules_of(RANKER, holdout={"share": 0.5})
    drawing = Assigner(rules, "default", standing(ranker="new"))
    for unit in [None, *USERS]:
        assignment = drawing.assign(unit, ASKED)
        assert assignment.model_version == "8"
        assert assignment.exposures == ()
        assert assignment.variant == "ranker:new"


def test_a_promoted_control_is_the_version_in_use_for_everyone() -> None:
    drawing = Assigner(rules_of(RANKER), "default", standing(ranker="old"))
    assert drawing.assign(USERS[0], ASKED).model_version is None
    assert drawing.assign(USERS[0], ASKED).variant == "ranker:old"


def test_a_promoted_arm_is_for_those_whom_the_experiment_means() -> None:
    rules = rules_of({**RANKER, "targeting": {"locales": ["de"]}})
    drawing = Assigner(rules, "default", standing(ranker="new"))
    assert drawing.assign(USERS[0], ASKED).variant == "default"
    assert drawing.assign(USERS[0], Asked("rank", "de-AT")).variant == "ranker:new"


def test_other_experiments_go_on_upon_what_was_promoted() -> None:
    newer = {"key": "newer", "status": "running", "namespace": {"id": "n", "range": [0.5, 1]},
             "arms": [{"key": "usual"}, {"key": "nine", "model_version": "9"}]}  # fmt: skip
    rules = rules_of(ROWS, {**RANKER, "namespace": {"id": "n", "range": [0, 0.5]}}, newer,
                     diversity={"window": 7}, holdout={"share": 0.1})  # fmt: skip
    drawing = Assigner(rules, "default", standing(rows="spread", ranker="new"))
    found = {each.variant: each for unit in USERS for each in [drawing.assign(unit, ASKED)]}
    both = "rows:spread+ranker:new"
    assert found.keys() == {
        both, f"{both}+newer/usual", f"{both}+newer/nine", f"{both}+holdout/held",
    }  # fmt: skip
    assert {each.model_version for each in found.values()} == {"8", "9"}
    assert found[f"{both}+newer/nine"].model_version == "9"
    for each in found.values():
        assert each.rules.diversity.max_same == 1
        assert each.rules.diversity.window == 7


def test_a_shadow_is_stopped() -> None:
    rules = rules_of(SHADOW)
    assert len(shadows_of(rules, "default", Standing())) == 1
    assert shadows_of(rules, "default", standing(**{"try": None})) == []


def test_a_shadow_of_the_newest_candidate_compares_that_and_without_one_nothing() -> None:
    rules = rules_of({**SHADOW, "arms": [NEWEST]})
    assert shadows_of(rules, "default", Standing()) == []
    (draw,) = shadows_of(rules, "default", Standing(candidate="9"))
    assert draw.model_version == "9"


def test_a_promoted_shadow_ranks_by_the_version_of_then_and_compares_only_a_newer_one() -> None:
    rules = rules_of({**SHADOW, "arms": [NEWEST]})
    at = "2026-11-01T00:00:00+00:00"
    decision = Decision(Action.PROMOTE, "new", "", "policy", at, 1, version="9")
    then = Standing({"try": decision}, candidate="9")
    assert Assigner(rules, "default", then).assign(None, ASKED).model_version == "9"
    assert shadows_of(rules, "default", then) == []
    later = replace(then, candidate="10")
    assert Assigner(rules, "default", later).assign(None, ASKED).model_version == "9"
    (draw,) = shadows_of(rules, "default", later)
    assert draw.model_version == "10"


def test_what_was_promoted_last_ranks() -> None:
    rules = rules_of({**SHADOW, "arms": [{"key": "new", "model_version": "9"}]}, RANKER)
    at = "2026-11-01T00:00:00+00:00"
    shadow = Decision(Action.PROMOTE, "new", "", "policy", at, 1, version="9")
    arm = Decision(Action.PROMOTE, "new", "", "admin", at, 2)
    both = Assigner(rules, "default", Standing({"try": shadow, "ranker": arm}))
    assert both.assign(None, ASKED).model_version == "8"
    assert both.assign(None, ASKED).variant == "try:new+ranker:new"
    turned = Standing({"try": replace(shadow, epoch_ms=3), "ranker": arm})
    assert Assigner(rules, "default", turned).assign(None, ASKED).model_version == "9"


def test_what_waits_for_a_shadow_draws_nobody_until_its_gate_is_passed() -> None:
    rules = rules_of({**SHADOW, "gate": {}}, {**RANKER, "after": "try"})
    assert variants(rules, Standing()) == {"default"}
    passed = Standing(passed=frozenset({"try"}))
    assert variants(rules, passed) == {"ranker/old", "ranker/new"}


def test_a_decision_on_what_the_rules_no_longer_run_changes_nothing() -> None:
    rules = rules_of({**RANKER, "status": "stopped"}, {**ROWS, "key": "other"})
    assert variants(rules, standing(ranker="new", gone="spread")) == {
        "other/control",
        "other/spread",
    }


@pytest.mark.parametrize("promoted", [{"draws": "chance"}, {"draws": "chance", "even": "evenly"}])
def test_who_cannot_be_ranked_upon_what_is_promoted_is_ranked_as_outside_and_told_once(
    promoted: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    drawing = Assigner(rules_of(DRAWS, EVEN, ROWS), "default", standing(**promoted))
    found = [drawing.assign(unit, ASKED) for unit in [None, *USERS]]
    assert {each.variant for each in found} == {
        "draws:chance", "draws:chance+rows/control", "draws:chance+rows/spread",
    }  # fmt: skip
    assert {each.rules.exploration.choice for each in found} == {"thompson"}
    (record,) = caplog.records
    assert record.getMessage() == (
        "even: nobody is in it, for its rules cannot be used upon what stands: exploration: "
        "Value error, epsilon counts only with choice: thompson"
    )


@pytest.mark.parametrize(
    ("experiment", "action", "arm", "message"),
    [
        ("ranker", "promote", None, "arm: which one"),
        ("ranker", "promote", "newer", "arm: 'ranker' has old, new, not 'newer'"),
        ("ranker", "stop", "new", "arm: stop is of the whole experiment"),
        ("newest", "promote", "new", "arm: no version is served beside the one in use"),
        ("later", "stop", None, "action: it is declared as draft"),
        ("draws", "promote", "chance", "arm: its rules cannot be used with another's"),
    ],
)
def test_a_decision_that_does_not_fit_names_the_field(
    experiment: str, action: str, arm: str | None, message: str
) -> None:
    rules = rules_of(
        RANKER, ROWS, {**SHADOW, "key": "newest", "arms": [NEWEST]},
        {**RANKER, "key": "later", "status": "draft"}, DRAWS, EVEN,
    )  # fmt: skip
    declared = next(one for one in rules.experiments if one.key == experiment)
    with pytest.raises(DecisionError, match=message):
        fit(rules, standing(rows="spread"), declared, Action(action), arm)
