"""Experiments that are declared by API, beside those of the rules: one document for all replicas.

It is one, so that what may stand together is written together: a replica writes it only in place
of the one that it has judged by (compare and set).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from pydantic import ValidationError

from features.controls.store import Controls, document_bytes
from serving.errors import (
    ConflictError,
    InvalidRequestError,
    RankingError,
    UnknownExperimentError,
)
from serving.shops.experiments import Experiment, Kind, model_versions
from serving.shops.rules import Rules
from serving.shops.steering.decision import (
    DECISIONS,
    By,
    Decision,
    Standing,
    check_promoted,
)
from serving.shops.steering.gate import GATES
from serving.shops.steering.in_force import ALL, DECLARED, Entry, InForce, by_document, check_alone
from serving.shops.steering.policies import BEGUN, READINGS
from serving.shops.together import (
    check_after,
    check_beside,
    check_drawn,
    drawn_by,
)

_DRAWN = "drawn"  # documents: what a key that is declared no more has drawn by
_OF_ITS_ARMS = (DECISIONS, GATES, READINGS, BEGUN)  # documents that say nothing of other arms
AT_MOST = 64  # experiments, with those of the rules: each key is a value of metrics' labels
_MOST_BYTES = 256 * 1024  # replicas read the document twice a second


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
        document = self._controls.all(DECLARED).get(ALL)
        if document != self._document:
            self._document, self.current = document, by_document(self._rules, document)
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
            check_alone(experiment, self._rules)
        except ValueError as error:
            raise InvalidRequestError(str(error)) from None
        while True:
            before = self._controls.all(DECLARED).get(ALL)
            stands = by_document(self._rules, before)
            old = stands.entries.get(key)
            if old is not None and old.definition == definition and key not in stands.left_out:
                return
            told = (before or {}).get(key)
            drawn = (told or {}).get("drawn") or self._controls.all(_DRAWN).get(key)
            anew = told is None or _draws_anew(experiment, told.get("definition", {}), drawn)
            self._check(experiment, stands, drawn, anew)
            if experiment.draws:
                drawn = drawn_by(experiment)
            entry = Entry(definition, by, at, epoch_ms, drawn)
            after = {**(before or {}), key: entry.document}
            if len(document_bytes(after)) > _MOST_BYTES:
                raise ConflictError(
                    f"key: all that is declared by API has {_MOST_BYTES} bytes together"
                )
            if self._controls.swap(DECLARED, ALL, before, after):
                break
        if anew:
            self._forget(key)

    def delete(self, key: str) -> None:
        """End an experiment; durable when it returns.

        Raises UnknownExperimentError and ConflictError, which change nothing, and StoreFullError.
        """
        self._not_of_the_rules(key)
        while True:
            before = self._controls.all(DECLARED).get(ALL)
            stands = by_document(self._rules, before)
            if before is None or key not in before:
                raise UnknownExperimentError("key: no such experiment is declared")
            others = [each for each in stands.rules.experiments if each.key != key]
            for other in others:
                _still(other, others)
            if drawn := before[key].get("drawn"):
                self._controls.put(_DRAWN, key, drawn)
            after = {name: told for name, told in before.items() if name != key}
            if self._controls.swap(DECLARED, ALL, before, after):
                break
        self._forget(key)

    def _forget(self, key: str) -> None:
        """After the swap: until then another replica may have declared what these are of."""
        for kind in _OF_ITS_ARMS:
            self._controls.delete(kind, key)

    def _not_of_the_rules(self, key: str) -> None:
        if any(each.key == key for each in self._rules.experiments):
            raise ConflictError(f"key: {key!r} is declared by the rules, and is changed there")

    def _check(
        self,
        experiment: Experiment,
        stands: InForce,
        drawn: Mapping[str, Any] | None,
        anew: bool,
    ) -> None:
        """anew: what was decided of the key ends with this declaration."""
        decisions = {
            key: Decision.of(one)
            for key, one in self._controls.all(DECISIONS).items()
            if not (anew and key == experiment.key)
        }
        others = [each for each in stands.rules.experiments if each.key != experiment.key]
        if len(others) >= AT_MOST:
            raise ConflictError(f"key: a shop has {AT_MOST} experiments at most")
        try:
            check_after(experiment, others)
            check_beside(experiment, others)
            check_drawn(experiment, drawn)
            check_promoted(self._rules, Standing(decisions), experiment, others)
        except ValueError as error:
            raise ConflictError(str(error)) from None
        for other in others:
            _still(other, [*others, experiment])
        known = {*stands.rules.ranker_versions}
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


def _draws_anew(
    experiment: Experiment, before: Mapping[str, Any], drawn: Mapping[str, Any] | None
) -> bool:
    """Whether its arms are others than those of the definition before, for all that is known."""
    if before.get("kind", Kind.AB) != experiment.kind:
        return True
    return experiment.draws and (
        drawn is None or drawn["bucket_version"] < experiment.bucket_version
    )


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
