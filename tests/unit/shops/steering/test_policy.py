"""What an experiment may declare of how it ends by itself."""

from typing import Any

import pytest
from pydantic import ValidationError

from serving.shops.experiments import model_versions
from serving.shops.rules import Rules

ARMS = [{"key": "old"}, {"key": "new", "model_version": "8"}]
AB: dict[str, Any] = {"key": "ranker", "status": "running", "arms": ARMS}
SHADOW: dict[str, Any] = {"key": "try", "kind": "shadow", "status": "running", "arms": ARMS[1:]}
NEWEST = [{"key": "new", "model_version": "candidate"}]


def declared(*experiments: dict[str, Any]) -> Rules:
    return Rules.model_validate({"experiments": list(experiments)})


def test_a_guard_is_on_unless_it_is_null() -> None:
    on, off = declared(AB, {**AB, "key": "bare", "status": "draft", "guard": None}).experiments
    assert on.guard is not None
    assert (on.guard.fallback, on.guard.model_time, on.guard.after) == (0.05, 1.5, 200)
    assert off.guard is None
    assert (on.promote, on.gate, on.after) == (None, None, None)


@pytest.mark.parametrize(
    ("experiments", "place"),
    [
        ([{**AB, "gate": {}}], "gate: is a shadow's"),
        ([{**AB, "after": "try"}], "experiments.0.after: names no shadow with a gate"),
        ([{**AB, "after": "try"}, SHADOW], "experiments.0.after: names no shadow with a gate"),
        ([{**AB, "promote": {"when": "better"}}], "promote: .* after_days"),
        ([{**AB, "promote": {"when": "passed"}}], "promote: "),
        ([{**AB, "promote": {"after_days": 0}}], "after_days"),
        ([{**AB, "guard": {"fallback": 0}}], "fallback"),
        ([{**AB, "guard": {"model_time": 1}}], "model_time"),
        ([{**AB, "guard": {"falback": 0.1}}], "falback"),
        ([{**AB, "arms": [ARMS[0], *NEWEST]}], "arms: shoppers are in versions that stay"),
        ([{**SHADOW, "after": "try", "gate": {}}], "after: a shadow waits"),
        ([{**SHADOW, "promote": {"when": "passed"}}], "promote: of a shadow takes a gate"),
        ([{**SHADOW, "gate": {}, "promote": {"after_days": 3}}], "promote: of a shadow"),
        ([{**SHADOW, "gate": {"overlap": 1.1}}], "overlap"),
    ],
)
def test_what_cannot_be_declared_is_named(experiments: list[dict[str, Any]], place: str) -> None:
    with pytest.raises(ValidationError, match=place):
        declared(*experiments)


def test_the_newest_candidate_is_no_version_that_is_known_beforehand() -> None:
    rules = declared(AB, {**SHADOW, "arms": NEWEST, "gate": {}, "promote": {"when": "passed"}})
    assert model_versions(rules.experiments) == ["8"]
