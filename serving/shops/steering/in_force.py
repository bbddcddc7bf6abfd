"""What stands of a shop's experiments: the rules with what the document of the API declares."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from features.controls.store import Documents
from features.yaml_file import problems
from serving.shops.experiments import Experiment
from serving.shops.rules import Rules
from serving.shops.steering.decision import By
from serving.shops.together import check_after, check_aims, check_arms, check_beside

DECLARED, ALL = "declared", "all"  # the kind and the key of the document


@dataclass(frozen=True, slots=True)
class Entry:
    """One experiment of the document.

    at: ISO time; epoch_ms: the same, unix milliseconds: counts of before it are not judged;
    drawn: what has drawn under its key last, as together.drawn_by tells it
    """

    definition: Mapping[str, Any]
    by: By
    at: str
    epoch_ms: int
    drawn: Mapping[str, Any] | None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Entry":
        """As `document` tells it; raises ValueError for what lacks a field."""
        if lacking := [name for name in _NAMES if name not in told]:
            raise ValueError(f"{lacking[0]}: another release wrote it without")
        return cls(**{name: told[name] for name in _NAMES})

    @property
    def document(self) -> dict[str, Any]:
        """JSON."""
        return {name: getattr(self, name) for name in _NAMES}


_NAMES = ("definition", "by", "at", "epoch_ms", "drawn")


@dataclass(frozen=True, slots=True)
class InForce:
    """The shop's rules with the experiments that were declared by API after their own.

    entries: of the document, by key, that can be read; left_out: why some are not in force
    """

    rules: Rules
    entries: Mapping[str, Entry] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


def check_alone(experiment: Experiment, rules: Rules) -> None:
    """Raise ValueError for what cannot be used by the rules, as they are and at each placement; the
    message names the field."""
    check_arms(experiment, rules.changed)
    check_aims(experiment, rules.placements)
    for key, placement in rules.placements.items():
        if placement.rules and key in (experiment.targeting.placements or rules.placements):
            try:
                check_arms(experiment, rules.placed(key).changed)
            except ValueError as error:
                raise ValueError(f"{error}, at {key!r}") from None


def in_force(rules: Rules, documents: Documents) -> InForce:
    """What stands now, as `by_document` tells it. Blocks."""
    return by_document(rules, documents.all(DECLARED).get(ALL))


def by_document(rules: Rules, document: Mapping[str, Any] | None) -> InForce:
    """The rules go first: what does not fit beside them (they were changed, or another release
    wrote it) is left out."""
    entries: dict[str, Entry] = {}
    fit: list[Experiment] = []
    left_out: dict[str, str] = {}
    for key, told in (document or {}).items():
        try:
            entry = entries[key] = Entry.of(told)
            experiment = Experiment.model_validate(entry.definition)
            check_alone(experiment, rules)
            check_beside(experiment, [*rules.experiments, *fit])
        except ValidationError as error:
            left_out[key] = problems(error)
        except ValueError as error:
            left_out[key] = str(error)
        else:
            fit.append(experiment)
    for experiment in fit:  # whichever of both was declared first
        try:
            check_after(experiment, [*rules.experiments, *fit])
        except ValueError as error:
            left_out[experiment.key] = str(error)
    together = [*rules.experiments, *(each for each in fit if each.key not in left_out)]
    return InForce(rules.model_copy(update={"experiments": together}), entries, left_out)
