"""Experiments that are declared by API, beside those of the rules: one document for all replicas.

It is one, so that what may stand together is written together: a replica writes it only in place
of the one that it has judged by (compare and set).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import ValidationError

from features.controls.store import Controls, Documents, document_bytes
from features.yaml_file import problems
from serving.errors import (
    ConflictError,
    InvalidRequestError,
    RankingError,
    UnknownExperimentError,
)
from serving.shops.experiments import Experiment, model_versions
from serving.shops.rules import Rules
from serving.shops.steering.decision import DECISIONS, By
from serving.shops.steering.gate import GATES
from serving.shops.steering.policies import BEGUN, READINGS
from serving.shops.together import check_after, check_arms, check_beside, check_drawn, drawn_by

DECLARED, _ALL = "declared", "all"  # the kind and the key of the document
_DRAWN = "drawn"  # documents: what a key that is declared no more has drawn by
AT_MOST = 64  # experiments, with those of the rules: each key is a value of metrics' labels
_MOST_BYTES = 256 * 1024  # replicas read the document twice a second


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
        """As `document` tells it."""
        return cls(**{name: told[name] for name in _NAMES})

    @property
    def document(self) -> dict[str, Any]:
        """JSON."""
        return {name: getattr(self, name) for name in _NAMES}


_NAMES = ("definition", "by", "at", "epoch_ms", "drawn")


@dataclass(frozen=True, slots=True)
class InForce:
    """The shop's rules with the experiments that were declared by API after their own.

    entries: of the document, by key; left_out: why some of them are not in force
    """

    rules: Rules
    entries: Mapping[str, Entry] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


def in_force(rules: Rules, documents: Documents) -> InForce:
    """What stands now. The rules go first: what does not fit beside them (they were changed, or
    another release wrote it) is left out. Blocks."""
    return _in_force(rules, documents.all(DECLARED).get(_ALL))


def _in_force(rules: Rules, document: Mapping[str, Any] | None) -> InForce:
    entries = {key: Entry.of(told) for key, told in (document or {}).items()}
    fit: list[Experiment] = []
    left_out: dict[str, str] = {}
    for key, entry in entries.items():
        try:
            experiment = Experiment.model_validate(entry.definition)
            check_arms(experiment, rules.changed)
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


class Declarations:
    """Reads and writes the document for one shop. offered: see steering.Steering."""

    def __init__(
        self, rules: Rules, controls: Controls, offered: Callable[[], Sequence[str]]
    ) -> None:
        self._rules = rules
        self._controls = controls
        self._offered = offered
        self._document: dict[str, Any] | None = None
        self.current = InForce(rules)

    def follow(self) -> InForce:
        """What stands now; the same object as long as nothing changes."""
        document = self._controls.all(DECLARED).get(_ALL)
        if document != self._document:
            self._document, self.current = document, _in_force(self._rules, document)
        return self.current

    def put(self, experiment: Experiment, by: By, at: str, epoch_ms: int) -> None:
        """Declare an experiment, or declare it otherwise; durable when it returns.

        What stands already is left as it is. Raises InvalidRequestError and ConflictError, which
        change nothing, and StoreFullError.
        """
        key = experiment.key
        self._not_of_the_rules(key)
        definition = _as_kept(experiment)
        try:
            check_arms(experiment, self._rules.changed)
        except ValueError as error:
            raise InvalidRequestError(str(error)) from None
        while True:
            before = self._controls.all(DECLARED).get(_ALL)
            stands = _in_force(self._rules, before)
            old = stands.entries.get(key)
            if old is not None and old.definition == definition and key not in stands.left_out:
                return
            drawn = self._controls.all(_DRAWN).get(key) if old is None else old.drawn
            self._check(experiment, stands, drawn)
            if experiment.draws:
                drawn = drawn_by(experiment)
            entry = Entry(definition, by, at, epoch_ms, drawn)
            after = {**(before or {}), key: entry.document}
            if len(document_bytes(after)) > _MOST_BYTES:
                raise ConflictError(
                    f"key: all that is declared by API has {_MOST_BYTES} bytes together"
                )
            if old is None:
                # What is kept under the key is of an experiment that has ended.
                for kind in (DECISIONS, GATES, READINGS, BEGUN):
                    self._controls.delete(kind, key)
            if self._controls.swap(DECLARED, _ALL, before, after):
                return

    def delete(self, key: str) -> None:
        """End an experiment; durable when it returns.

        Raises UnknownExperimentError and ConflictError, which change nothing, and StoreFullError.
        """
        self._not_of_the_rules(key)
        while True:
            before = self._controls.all(DECLARED).get(_ALL)
            stands = _in_force(self._rules, before)
            if before is None or key not in stands.entries:
                raise UnknownExperimentError("key: no such experiment is declared")
            others = [each for each in stands.rules.experiments if each.key != key]
            for other in others:
                _still(other, others)
            if drawn := stands.entries[key].drawn:
                self._controls.put(_DRAWN, key, drawn)
            after = {name: told for name, told in before.items() if name != key}
            if self._controls.swap(DECLARED, _ALL, before, after):
                break
        self._controls.delete(DECISIONS, key)

    def _not_of_the_rules(self, key: str) -> None:
        if any(each.key == key for each in self._rules.experiments):
            raise ConflictError(f"key: {key!r} is declared by the rules, and is changed there")

    def _check(
        self, experiment: Experiment, stands: InForce, drawn: Mapping[str, Any] | None
    ) -> None:
        others = [each for each in stands.rules.experiments if each.key != experiment.key]
        if len(others) >= AT_MOST:
            raise ConflictError(f"key: a shop has {AT_MOST} experiments at most")
        try:
            check_after(experiment, others)
            check_beside(experiment, others)
            check_drawn(experiment, drawn)
        except ValueError as error:
            raise ConflictError(str(error)) from None
        for other in others:
            _still(other, [*others, experiment])
        known = {*model_versions(stands.rules.experiments)}
        if unknown := [each for each in model_versions([experiment]) if each not in known]:
            self._check_served(experiment, unknown)

    def _check_served(self, experiment: Experiment, versions: Sequence[str]) -> None:
        """While the model server does not answer, nobody knows: as with the rules, such an arm is
        ranked by the version in use until its own is loaded."""
        try:
            offered = self._offered()
        except RankingError:
            return
        for number, arm in enumerate(experiment.arms):
            if arm.model_version in versions and arm.model_version not in offered:
                raise ConflictError(
                    f"arms.{number}.model_version: {arm.model_version!r} is not served beside the "
                    f"version in use; {', '.join(offered) or 'nothing'} is"
                )


def _still(other: Experiment, experiments: Sequence[Experiment]) -> None:
    try:
        check_after(other, experiments)
    except ValueError:
        raise ConflictError(f"key: {other.key!r} waits for its gate") from None


def _as_kept(experiment: Experiment) -> dict[str, Any]:
    """The definition as it will be read; what JSON has no form for (infinity, for one) is refused
    now, and not by the replica that reads it."""
    try:
        kept: dict[str, Any] = orjson.loads(
            document_bytes(experiment.model_dump(mode="json", exclude_unset=True))
        )
        if Experiment.model_validate(kept) == experiment:
            return kept
    except (TypeError, ValidationError):
        pass
    raise InvalidRequestError("arms: hold a number that JSON has no form for")
