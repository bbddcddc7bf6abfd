"""What is declared by API can be ranked by upon what is promoted, or is refused."""

from typing import Any

import pytest

from serving.errors import ConflictError
from serving.shops.experiments import Experiment
from serving.shops.rules import Rules
from serving.shops.steering.decision import Action
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
