"""Decisions on experiments: documents that all replicas share, and whether one fits the rules."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from serving.shops.experiments import CANDIDATE, Arm, Experiment, Kind

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

    arm: that is promoted; version: of a shadow, that it tried then; at: ISO time; epoch_ms: the
    same, unix milliseconds: counts of before it are not judged; before: what control did until a
    promotion, the counts of counts.Ranked
    """

    action: Action
    arm: str | None
    why: str
    by: By
    at: str
    epoch_ms: int
    before: Mapping[str, float] = field(default_factory=dict)
    version: str | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Decision":
        """The decision that `document` gave."""
        named = {name: document[name] for name in _NAMES if name in document}
        return cls(Action(document["action"]), **named)

    @property
    def document(self) -> dict[str, Any]:
        """JSON."""
        named = {name: getattr(self, name) for name in _NAMES}
        return {"action": self.action.value, **named}

    def of_arm(self, arm: Arm) -> Arm:
        """A promoted shadow's arm has the version of then: its name may mean a newer one now."""
        return arm.model_copy(update={"model_version": self.version})


_NAMES = ("arm", "why", "by", "at", "epoch_ms", "before", "version")


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands now, beside the rules.

    passed: shadows that have passed their gate; candidate: the newest version beside the one in use
    since_ms: when what is declared by API was declared so, unix milliseconds
    """

    decisions: Mapping[str, Decision] = field(default_factory=dict)  # by experiment
    passed: frozenset[str] = frozenset()
    candidate: str | None = None
    since_ms: Mapping[str, int] = field(default_factory=dict)

    def action(self, experiment: Experiment) -> Action:
        """What was decided last; resume: nothing."""
        decision = self.decisions.get(experiment.key)
        return Action.RESUME if decision is None else decision.action

    def decided_ms(self, experiment: str) -> int:
        """When the last decision was made; 0 before the first."""
        decision = self.decisions.get(experiment)
        return 0 if decision is None else decision.epoch_ms

    def epoch_ms(self, experiment: str) -> int:
        """From when on what arms do is judged: of the last decision, or of the declaration."""
        return max(self.decided_ms(experiment), self.since_ms.get(experiment, 0))

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
        """The shadows that compare now, with the version that they compare."""
        found = []
        for experiment in experiments:
            if experiment.kind is not Kind.SHADOW or not experiment.running:
                continue
            version, decision = self.version_of(experiment), self.decisions.get(experiment.key)
            promoted = decision is not None and decision.version == version
            if version is None or promoted or self.action(experiment) is Action.STOP:
                continue
            arm = experiment.arms[0].model_copy(update={"model_version": version})
            found.append(experiment.model_copy(update={"arms": [arm]}))
        return found

    def version_of(self, shadow: Experiment) -> str | None:
        """That a shadow tries; None: there is none now."""
        version = shadow.arms[0].model_version
        return self.candidate if version == CANDIDATE else version

    def promoted(self, experiments: Iterable[Experiment]) -> list[tuple[Experiment, Arm]]:
        """The promoted arms of running experiments, the oldest decision first."""
        found = []
        for experiment in experiments:
            decision = self.decisions.get(experiment.key)
            if decision is None or decision.action is not Action.PROMOTE or not experiment.running:
                continue
            arm = next((arm for arm in experiment.arms if arm.key == decision.arm), None)
            if arm is not None:
                shadow = experiment.kind is Kind.SHADOW
                found.append(
                    (decision.epoch_ms, experiment, decision.of_arm(arm) if shadow else arm)
                )
        return [(experiment, arm) for _, experiment, arm in sorted(found, key=lambda one: one[0])]


def fit(
    rules: "Rules", standing: Standing, experiment: Experiment, action: Action, arm: str | None
) -> None:
    """Raise DecisionError unless the rules leave room for that decision beside what stands."""
    if not experiment.running:
        raise DecisionError(f"action: it is declared as {experiment.status.value}, so nothing runs")
    if action is not Action.PROMOTE:
        if arm is not None:
            raise DecisionError(f"arm: {action.value} is of the whole experiment")
        return
    keys = [each.key for each in experiment.arms]
    if arm is None:
        raise DecisionError(f"arm: which one is promoted? One of {', '.join(keys)}")
    if arm not in keys:
        raise DecisionError(f"arm: {experiment.key!r} has {', '.join(keys)}, not {arm!r}")
    if experiment.kind is Kind.SHADOW and standing.version_of(experiment) is None:
        raise DecisionError("arm: no version is served beside the one in use")
    try:
        chosen = _changed(rules, experiment.arms[keys.index(arm)])
        for other in rules.experiments:
            if other.key != experiment.key and other.draws:
                for each in other.arms:
                    _changed(chosen, each)
    except ValueError as error:
        raise DecisionError(f"arm: its rules cannot be used with another's: {error}") from None


def check_promoted(
    rules: "Rules", standing: Standing, experiment: Experiment, others: Sequence[Experiment]
) -> None:
    """Raise ValueError when what is promoted, of it or of others, leaves no room for its arms'
    rules or those of others; the message names the field."""
    if not experiment.draws:
        return
    for promoted, arm in standing.promoted([*others, experiment]):
        chosen, own = _changed(rules, arm), promoted.key == experiment.key
        for other in others if own else [experiment]:
            for each in other.arms if other.draws else ():
                try:
                    _changed(chosen, each)
                except ValueError as error:
                    place = experiment.arms.index(arm if own else each)
                    raise ValueError(
                        f"arms.{place}.rules.{error}: {other.key!r} cannot be ranked upon "
                        f"{arm.key!r} of {promoted.key!r}, which is promoted"
                    ) from None


def has_room(rules: "Rules", standing: Standing, experiment: Experiment) -> bool:
    """Whether all its arms can be ranked by upon what others have promoted; else nobody is in it.

    Not so where two replicas were told at once, or the rules have changed since.
    """
    chosen = rules
    for promoted, arm in standing.promoted(rules.experiments):
        if promoted.key != experiment.key:
            with suppress(ValueError):  # nobody is ranked by that one upon those before
                chosen = _changed(chosen, arm)
    try:
        for arm in experiment.arms:
            _changed(chosen, arm)
    except ValueError:
        return False
    return True


def _changed(rules: "Rules", arm: Arm) -> "Rules":
    return rules.changed(arm.rules) if arm.rules else rules
