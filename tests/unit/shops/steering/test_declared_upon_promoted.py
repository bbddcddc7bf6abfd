"""What is declared by API can be ranked by upon what is promoted, or is refused."""

from typing import Any

import pytest

from serving.errors import ConflictError, InvalidRequestError
from serving.shops.experiments import Experiment
from serving.shops.rules import Rules
from serving.shops.steering.decision import (
    Action,
    Decision,
    Standing,
    has_room,
)
from serving.shops.steering.steering import Steering
from tests.support.fakes import FakeControls


def half(key: str, exploration: dict[str, Any], start: float, **more: Any) -> Experiment:
    """An experiment with a half of the shoppers, whose arm `b` explores so."""
    arms = [{"key": "a"}, {"key": "b", "rules": {"exploration": exploration}}]
    namespace = {"id": "page", "range": [start, start + 0.5]}
    return Experiment.model_validate(
        {"key": key, "status": "running", "arms": arms, "namespace": namespace, **more}
    )


CHANCE = half("chance", {"choice": "thompson", "epsilon": 0.1}, 0.0)
EVEN = half("even", {"choice": "evenly"}, 0.5)
SHARE = half("even", {"share": 0.1}, 0.5)


def declared(*experiments: Experiment, rules: Rules | None = None) -> Steering:
    steering = Steering(rules or Rules(), FakeControls())
    for each in experiments:
        steering.declare(each)
    return steering


@pytest.mark.parametrize("of_the_rules", [True, False])
def test_arms_that_cannot_be_ranked_by_upon_a_promoted_one_are_refused_by_field(
    of_the_rules: bool,
) -> None:
    steering = declared(rules=Rules(experiments=[CHANCE])) if of_the_rules else declared(CHANCE)
    steering.decide("chance", Action.PROMOTE, "b", "")
    with pytest.raises(ConflictError) as caught:
        steering.declare(EVEN)
    assert str(caught.value) == (
        "arms.1.rules.exploration: Value error, epsilon counts only with choice: thompson: 'even' "
        "cannot be ranked upon 'b' of 'chance', which is promoted"
    )
    assert "even" not in steering.in_force.entries


def test_arms_that_can_be_and_drafts_are_declared_beside_a_promoted_one() -> None:
    steering = declared(CHANCE)
    steering.decide("chance", Action.PROMOTE, "b", "")
    steering.declare(half("later", {"choice": "evenly"}, 0.5, status="draft"))
    steering.declare(SHARE)
    steering.decide("chance", Action.STOP, None, "")
    steering.declare(half("even", {"choice": "evenly"}, 0.5, bucket_version=1))
    assert [each.key for each in steering.rules.experiments] == ["chance", "later", "even"]


def test_a_promoted_experiment_runs_again_only_where_others_can_be_ranked_upon_it() -> None:
    steering = declared(CHANCE)
    steering.decide("chance", Action.PROMOTE, "b", "")
    steering.declare(half("chance", {"choice": "thompson", "epsilon": 0.1}, 0.0, status="stopped"))
    steering.declare(EVEN)
    with pytest.raises(ConflictError, match=r"^arms.1.rules.exploration: .* 'b' of 'chance'"):
        steering.declare(CHANCE)
    steering.declare(half("chance", {"choice": "thompson", "epsilon": 0.1}, 0.0, bucket_version=1))
    assert steering.standing.promoted(steering.rules.experiments) == []


def test_an_experiment_that_two_replicas_left_no_room_for_has_none() -> None:
    """One has promoted, one has declared, and each did not know of the other yet."""
    rules = Rules(experiments=[CHANCE, SHARE])
    stands = Standing({"chance": Decision(Action.PROMOTE, "b", "", "admin", "2026-11-01", 1)})
    assert has_room(rules, stands, SHARE)
    assert has_room(rules, Standing(), EVEN)
    assert not has_room(rules.model_copy(update={"experiments": [CHANCE, EVEN]}), stands, EVEN)


def test_an_arm_that_cannot_be_used_at_a_placement_is_refused_by_field() -> None:
    """As in the rules: there a ranking begins with the placement's rules."""
    placed = {
        "home": {"rules": {"exploration": {"choice": "thompson", "epsilon": 0.2}}},
        "cart": {},
    }
    rules = Rules.model_validate({"placements": placed})
    even = half("even", {"choice": "evenly"}, 0.5)
    with pytest.raises(InvalidRequestError, match=r"^arms.1.rules.exploration: .*, at 'home'$"):
        declared(even, rules=rules)
    aimed = {"targeting": {"placements": ["cart"]}}
    steering = declared(half("even", {"choice": "evenly"}, 0.5, **aimed), rules=rules)
    assert steering.in_force.left_out == {}
