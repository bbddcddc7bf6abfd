"""What a retraining does with the candidates that are there, before it leaves another one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from features.controls.shops import SHOPS, Registered, ShopStatus
from serving.cluster.release import make_room
from serving.shops.experiments import Experiment
from serving.shops.rules import Rules
from serving.shops.steering.decision import Action, Decision
from serving.shops.steering.steering import Steering
from tests.support.fakes import FakeControls

AT = "2026-11-01T00:00:00+00:00"
RULES = Rules.model_validate(
    {
        "experiments": [
            {"key": "newest", "kind": "shadow", "status": "running", "gate": {},
             "arms": [{"key": "new", "model_version": "candidate"}]},
            {"key": "ranker", "status": "running",
             "arms": [{"key": "old"}, {"key": "new", "model_version": "5"}]},
        ]
    }
)  # fmt: skip


class Publishing:
    """Does with the folders what the command line would; refuses one command."""

    def __init__(self, repository: Path, refuses: str = "") -> None:
        self._repository, self._refuses = repository, refuses
        self.ran: list[str] = []

    def __call__(self, arguments: Sequence[str]) -> int:
        command, _, version, *rest = arguments
        assert rest == ["--repository", str(self._repository), "--reload", "http://triton"]
        self.ran.append(f"{command} {version}")
        if command == self._refuses:
            return 1
        (self._repository / f"ranker-{version}").rmdir()
        return 0


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for number in (5, 6, 7):
        (tmp_path / f"ranker-{number}").mkdir()
    return tmp_path


def decided(action: Action, version: str | None) -> FakeControls:
    decision = Decision(action, "new", "", "policy", AT, 1, version=version)
    return FakeControls({"decision": {"newest": decision.document}})


def room(repository: Path, controls: FakeControls, refuses: str = "") -> tuple[int, list[str]]:
    publishing = Publishing(repository, refuses)
    status = make_room(repository, RULES, controls, publishing, ["http://triton"])
    return status, publishing.ran


def stands(controls: FakeControls) -> dict[str, Any]:
    return controls.all("decision")["newest"]


def test_what_was_promoted_by_a_decision_gets_into_use_and_the_decision_ends(
    repository: Path,
) -> None:
    controls = decided(Action.PROMOTE, "7")
    assert room(repository, controls) == (0, ["promote 7", "withdraw 6"])
    assert (stands(controls)["action"], stands(controls)["why"]) == (
        "resume", "version 7 is in use",
    )  # fmt: skip


def test_what_is_named_by_an_experiment_stays_and_the_rest_goes(repository: Path) -> None:
    assert room(repository, FakeControls()) == (0, ["withdraw 6", "withdraw 7"])
    assert [path.name for path in repository.iterdir()] == ["ranker-5"]


def test_what_was_rolled_back_is_not_taken_into_use(repository: Path) -> None:
    controls = decided(Action.STOP, None)
    assert room(repository, controls) == (0, ["withdraw 6", "withdraw 7"])
    assert stands(controls)["action"] == "stop"


def test_a_version_that_cannot_be_taken_into_use_goes_on_by_the_decision(repository: Path) -> None:
    controls = decided(Action.PROMOTE, "7")
    assert room(repository, controls, refuses="promote") == (1, ["promote 7"])
    assert stands(controls)["action"] == "promote"


def test_a_version_that_an_experiment_by_api_names_stays_too(repository: Path) -> None:
    controls = FakeControls()
    definition = {
        "key": "six", "kind": "shadow", "status": "running",
        "arms": [{"key": "new", "model_version": "6"}],
    }  # fmt: skip
    Steering(RULES, controls, offered=lambda: ["6"]).declare(Experiment.model_validate(definition))
    assert room(repository, controls) == (0, ["withdraw 7"])


def test_a_version_that_another_shop_names_stays_too(repository: Path) -> None:
    shop = Registered("outlet", "outlet-1", ShopStatus.ACTIVE, 0, {"rules": {"ranker": "6"}}, {})
    controls = FakeControls({SHOPS: {"outlet": shop.document}})
    assert room(repository, controls) == (0, ["withdraw 7"])
