"""Decisions on experiments: documents that all replicas share, and whether one fits the rules."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from serving.shops.experiments import Arm, Experiment, Kind

if TYPE_CHECKING:
    from serving.shops.rules import Rules

DECISIONS = "decision"  # the kind of the documents
By = Literal["admin", "policy"]


class Action(StrEnum):
    """What is decided."""

    STOP = "stop"  # nobody is drawn; of a promotion: it is rolled back
    PROMOTE = "promote"  # all who are meant are ranked as one arm says
    RESUME = "resume"  # as declared


class DecisionError(ValueError):
    """A decision that the rules leave no room for; the message names the field."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What stands for one experiment.

    arm: that is promoted; at: ISO time; epoch_ms: the same, unix milliseconds: counts of before it
    are not judged; before: what control did until a promotion, the counts of counts.Ranked
    """

    action: Action
    arm: str | None
    why: str
    by: By
    at: str
    epoch_ms: int
    before: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Decision":
        """The decision that `document` gave."""
        named = {name: document[name] for name in ("arm", "why", "by", "at", "epoch_ms", "before")}
        return cls(Action(document["action"]), **named)

    @property
    def document(self) -> dict[str, Any]:
        """JSON."""
        return {
            "action": self.action.value, "arm": self.arm, "why": self.why, "by": self.by,
            "at": self.at, "epoch_ms": self.epoch_ms, "before": dict(self.before),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands now, beside the rules. passed: shadows that have passed their gate."""

    decisions: Mapping[str, Decision] = field(default_factory=dict)  # by experiment
    passed: frozenset[str] = frozenset()

    def action(self, experiment: Experiment) -> Action:
        """What was decided last; resume: nothing."""
        decision = self.decisions.get(experiment.key)
        return Action.RESUME if decision is None else decision.action

    def epoch_ms(self, experiment: str) -> int:
        """Of the last decision; 0 before the first."""
        decision = self.decisions.get(experiment)
        return 0 if decision is None else decision.epoch_ms

    def drawing(self, experiments: Iterable[Experiment]) -> list[Experiment]:
        """Those that draw shoppers now."""
        return [
            experiment
            for experiment in experiments
            if experiment.draws
            and self.action(experiment) is Action.RESUME
            and (experiment.after is None or experiment.after in self.passed)
        ]

    def shadowing(self, experiments: Iterable[Experiment]) -> list[Experiment]:
        """The shadows that compare now."""
        return [
            experiment
            for experiment in experiments
            if experiment.kind is Kind.SHADOW
            and experiment.running
            and self.action(experiment) is not Action.STOP
        ]

    def promoted(self, experiments: Iterable[Experiment]) -> list[tuple[Experiment, Arm]]:
        """The promoted arms of running experiments, the oldest decision first."""
        found = []
        for experiment in experiments:
            decision = self.decisions.get(experiment.key)
            if decision is None or decision.action is not Action.PROMOTE or not experiment.draws:
                continue
            arm = next((arm for arm in experiment.arms if arm.key == decision.arm), None)
            if arm is not None:
                found.append((decision.at, experiment, arm))
        return [(experiment, arm) for _, experiment, arm in sorted(found, key=lambda one: one[0])]


def fit(
    rules: "Rules", standing: Standing, experiment: Experiment, action: Action, arm: str | None
) -> None:
    """Raise DecisionError unless the rules leave room for that decision beside what stands."""
    if not experiment.running:
        raise DecisionError(f"action: the rules say {experiment.status.value}, so nothing runs")
    if action is not Action.PROMOTE:
        if arm is not None:
            raise DecisionError(f"arm: {action.value} is of the whole experiment")
        return
    if experiment.kind is Kind.SHADOW:
        raise DecisionError("action: a shadow has no shoppers, so there is nothing to promote")
    keys = [each.key for each in experiment.arms]
    if arm is None:
        raise DecisionError(f"arm: which one is promoted? One of {', '.join(keys)}")
    if arm not in keys:
        raise DecisionError(f"arm: {experiment.key!r} has {', '.join(keys)}, not {arm!r}")
    chosen = experiment.arms[keys.index(arm)]
    for other, promoted in standing.promoted(rules.experiments):
        both = promoted.changes & chosen.changes
        if other.key != experiment.key and both:
            raise DecisionError(
                f"arm: {other.key!r} is promoted and changes {min(both)}, too: stop it first"
            )
    changed = _changed(rules, chosen)
    for other in rules.experiments:
        if other.key != experiment.key and other.draws:
            for each in other.arms:
                _changed(changed, each)


def _changed(rules: "Rules", arm: Arm) -> "Rules":
    try:
        return rules.changed(arm.rules) if arm.rules else rules
    except ValueError as error:
        raise DecisionError(f"arm: its rules cannot be used with another's: {error}") from None
