"""Who gets which arm: by pseudonym, for good, and in no two experiments that exclude each other."""

import time
import timeit
from typing import Any

import pytest

from features.behavior.matrix import Shopper
from features.behavior.state import BehaviorState
from serving.experiments.assignment import Assigner, Unit, unit_of
from serving.experiments.draw import Asked, shadows_of
from serving.shops.rules import Rules

ASKED = Asked("search", "en-GB", "home", known=True)
ARMS = [{"key": "control"}, {"key": "spread", "rules": {"diversity": {"max_same": 1}}}]


def experiment(key: str = "rows", **fields: Any) -> dict[str, Any]:
    return {"key": key, "status": "running", "arms": ARMS, **fields}


def assigner(*experiments: dict[str, Any], **sections: Any) -> Assigner:
    rules = Rules.model_validate({"experiments": list(experiments), **sections})
    return Assigner(rules, "default")


def users(n: int) -> list[Unit]:
    return [Unit("user", f"{number:032x}") for number in range(n)]


def labels(drawing: Assigner, units: list[Unit], asked: Asked = ASKED) -> list[str]:
    return [drawing.assign(unit, asked).variant for unit in units]


def test_an_arm_has_its_rules_and_says_whom_it_was_drawn_by() -> None:
    drawing = assigner(experiment(bucket_version=2), diversity={"window": 7})
    drawn = [drawing.assign(unit, ASKED) for unit in users(20)]
    found = {assignment.variant: assignment for assignment in drawn}
    assert found.keys() == {"rows/control", "rows/spread"}
    assert found["rows/control"].rules is drawing.assign(None, ASKED).rules
    assert found["rows/spread"].rules.diversity.max_same == 1
    assert found["rows/spread"].rules.diversity.window == 7
    (exposure,) = found["rows/spread"].exposures
    assert (exposure.hash_attribute, exposure.bucket_version) == ("user", 2)
    assert Unit("user", exposure.hash_value) in users(20)


@pytest.mark.parametrize("status", ["draft", "stopped"])
def test_what_does_not_run_draws_nobody(status: str) -> None:
    assert set(labels(assigner(experiment(status=status)), users(50))) == {"default"}


def test_nobody_is_in_no_experiment() -> None:
    assert assigner(experiment()).assign(None, ASKED).exposures == ()


def test_two_experiments_meet_and_both_count() -> None:
    ranker = experiment("ranker", arms=[{"key": "old"}, {"key": "new", "model_version": "8"}])
    drawing = assigner(experiment(), ranker)
    drawn = [drawing.assign(unit, ASKED) for unit in users(60)]
    found = {assignment.variant: assignment for assignment in drawn}
    assert len(found) == 4
    both = found["rows/spread+ranker/new"]
    assert (both.model_version, both.rules.diversity.max_same) == ("8", 1)
    assert found["rows/control+ranker/old"].model_version is None


def interleave(key: str = "both", **fields: Any) -> dict[str, Any]:
    new = {"key": "new", "model_version": "8", "rules": {"fatigue": {"strength": 2}}}
    return experiment(key, kind="interleave", arms=[{"key": "old"}, new], **fields)


def test_whoever_is_in_an_interleave_has_both_arms_and_one_exposure() -> None:
    drawing = assigner(interleave(coverage=0.3, bucket_version=1), diversity={"window": 7})
    drawn = [drawing.assign(unit, ASKED) for unit in users(4_000)]
    within = [each for each in drawn if each.exposures]
    assert len(within) / len(drawn) == pytest.approx(0.3, abs=0.03)
    assert {each.variant for each in within} == {"both/interleaved"}
    (exposure,) = within[0].exposures
    assert (exposure.variant, exposure.bucket_version) == ("interleaved", 1)
    assert within[0].interleaved == "both"
    teams = within[0].teams
    assert teams is not None
    assert [(team.arm, team.model_version) for team in teams] == [("old", None), ("new", "8")]
    assert [team.rules.fatigue.strength for team in teams] == [0, 2]
    assert {team.rules.diversity.window for team in teams} == {7}
    assert (within[0].rules, within[0].model_version) == (drawing.assign(None, ASKED).rules, None)
    alone = within[0].led_by(teams[1])
    assert (alone.model_version, alone.variant) == ("8", "both/interleaved")
    outside = next(each for each in drawn if not each.exposures)
    assert (outside.teams, outside.interleaved) == (None, None)


def test_an_interleave_that_covers_more_keeps_whom_it_has() -> None:
    few, many = (labels(assigner(interleave(coverage=c)), users(2_000)) for c in (0.2, 0.4))
    assert all(b != "default" for a, b in zip(few, many, strict=True) if a != "default")
    assert many.count("default") < few.count("default")


def test_both_arms_of_an_interleave_have_what_another_experiment_changes() -> None:
    drawing = assigner(experiment(), interleave())
    drawn = {each.variant: each for each in (drawing.assign(u, ASKED) for u in users(40))}
    assert drawn.keys() == {"rows/control+both/interleaved", "rows/spread+both/interleaved"}
    spread = drawn["rows/spread+both/interleaved"]
    assert [team.rules.diversity.max_same for team in spread.teams or ()] == [1, 1]
    assert [team.rules.fatigue.strength for team in spread.teams or ()] == [0, 2]
    rules_only = experiment(
        "both", kind="interleave", arms=[{"key": "a"}, {"key": "b", "rules": {"boosts": []}}]
    )
    ranker = experiment("ranker", arms=[{"key": "old"}, {"key": "new", "model_version": "9"}])
    versions = {
        tuple(
            team.model_version for team in assigner(ranker, rules_only).assign(u, ASKED).teams or ()
        )
        for u in users(40)
    }
    assert versions == {(None, None), ("9", "9")}


def test_a_namespace_is_shared_out_without_overlap() -> None:
    lower = experiment("lower", namespace={"id": "page", "range": [0, 0.4]})
    upper = experiment("upper", namespace={"id": "page", "range": [0.4, 1]})
    found = labels(assigner(lower, upper), users(4_000))
    assert set(found) == {"lower/control", "lower/spread", "upper/control", "upper/spread"}
    share = sum(label.startswith("lower") for label in found) / len(found)
    assert share == pytest.approx(0.4, abs=0.03)


def test_the_held_out_are_in_no_experiment_and_are_told() -> None:
    found = labels(assigner(experiment(), holdout={"share": 0.1}), users(4_000))
    assert set(found) == {"holdout/held", "rows/control", "rows/spread"}
    assert found.count("holdout/held") / len(found) == pytest.approx(0.1, abs=0.02)
    without = labels(assigner(experiment()), users(4_000))
    assert all(a in ("holdout/held", b) for a, b in zip(found, without, strict=True))


@pytest.mark.parametrize(
    ("targeting", "asked", "within"),
    [
        ({"locales": ["en"]}, Asked("search", "en-GB"), True),
        ({"locales": ["en"]}, Asked("search", "en_gb"), True),
        ({"locales": ["en-GB"]}, Asked("search", "en"), False),
        ({"locales": ["en"]}, Asked("search", "enx"), False),
        ({"locales": ["en"]}, Asked("search"), False),
        ({"pages": ["home", "cart"]}, Asked("search", page="cart"), True),
        ({"pages": ["home"]}, Asked("search", page="cart"), False),
        ({"requests": ["rank"]}, Asked("rank"), True),
        ({"requests": ["rank"]}, Asked("recommend"), False),
        ({"shoppers": "known"}, Asked("search", known=True), True),
        ({"shoppers": "known"}, Asked("search"), False),
        ({"shoppers": "new"}, Asked("search"), True),
        ({"shoppers": "new"}, Asked("search", known=True), False),
        ({"shops": ["default"]}, Asked("search"), True),
        ({"shops": ["other"]}, Asked("search"), False),
        ({"pages": ["home"], "locales": ["de"]}, Asked("search", "en", "home"), False),
    ],
)
def test_targeting_means_requests_that_fit_it_whole(
    targeting: dict[str, Any], asked: Asked, within: bool
) -> None:
    found = labels(assigner(experiment(targeting=targeting)), users(20), asked)
    assert ("default" not in found) is within
    assert len(set(found)) == (2 if within else 1)


def test_a_raised_bucket_version_draws_anew_and_may_leave_out_the_tainted() -> None:
    units = users(4_000)
    old = labels(assigner(experiment(coverage=0.5)), units)
    new = labels(assigner(experiment(bucket_version=1, coverage=0.5)), units)
    untainted = experiment(bucket_version=1, min_bucket_version=1, coverage=0.5)
    clean = labels(assigner(untainted), units)
    changed = sum(a != b for a, b in zip(old, new, strict=True)) / len(units)
    assert changed == pytest.approx(5 / 8, abs=0.03)  # of four equal outcomes two are "not in it"
    assert clean == [
        now if before == "default" else "default" for before, now in zip(old, new, strict=True)
    ]


def test_a_seed_given_on_purpose_draws_two_experiments_alike() -> None:
    one, other = (labels(assigner(experiment(key, seed="s")), users(200)) for key in ("a1", "b1"))
    assert [label.split("/")[1] for label in one] == [label.split("/")[1] for label in other]


def test_who_is_drawn_is_the_user_and_else_the_session() -> None:
    known, began = BehaviorState(), BehaviorState(origin="s0")
    assert unit_of(None, None, Shopper()) is None
    assert unit_of(None, "s1", Shopper()) == Unit("session", "s1")
    assert unit_of("u", None, Shopper()) == Unit("user", "u")
    assert unit_of("u", "s1", Shopper(known)) == Unit("user", "u")
    assert unit_of("u", "s1", Shopper(began)) == Unit("session", "s0")


def test_a_store_that_does_not_answer_says_nothing_of_a_user_and_a_session_needs_none() -> None:
    assert unit_of("u", "s1", None) is None
    assert unit_of(None, "s1", None) == Unit("session", "s1")


def test_a_shadow_draws_requests_and_no_shoppers() -> None:
    shadow = experiment(
        "try", kind="shadow", coverage=0.2, arms=[{"key": "new", "model_version": "8"}]
    )
    drawing = assigner(shadow)
    assert set(labels(drawing, users(50))) == {"default"}
    (draw,) = shadows_of(drawing.assign(None, ASKED).rules, "default")
    assert draw.model_version == "8"
    taken = [draw.takes(f"{number:032x}", ASKED) for number in range(4_000)]
    assert sum(taken) / len(taken) == pytest.approx(0.2, abs=0.03)


def test_an_assignment_costs_less_than_a_tenth_of_a_millisecond() -> None:
    """Of processor time, in four experiments at once, one in a namespace, with a holdout."""
    space = {"namespace": {"id": "page", "range": [0, 0.5]}}
    plain = [{"key": "a"}, {"key": "b"}]
    others = [experiment(key, arms=plain) for key in ("two", "three", "four")]
    drawing = assigner(experiment("one", **space), *others, holdout={"share": 0.05})
    unit = users(1)[0]
    assert len(drawing.assign(unit, ASKED).exposures) >= 3
    clock = time.process_time
    runs = timeit.repeat(lambda: drawing.assign(unit, ASKED), timer=clock, number=100, repeat=20)
    best_s = min(runs) / 100
    assert best_s <= 0.0001
