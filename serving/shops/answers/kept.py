"""Where answers and their models are kept: documents that all replicas of a shop share.

Beside them stands one small document, which says that something changed: replicas read that often,
and the rest only when it did.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from features.controls.store import Documents
from serving.search.answers.answer import Answer
from serving.search.answers.model import UNTRAINED, AnswerModel

_ANSWERS = "answers"  # by answer_id
_MODELS = "answers_models"  # by version
_STATE = "answers_state"  # COLLECTION and IN_USE
_COLLECTION, _IN_USE = "collection", "in_use"
MODELS_KEPT = 5  # versions, to roll back to


class UnknownVersionError(Exception):
    """No such version is kept; the message names those that are."""


class KeptAnswers:
    """The answers and models in `documents`. Raises StoreFullError, and what a store raises that is
    away."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def put(self, answers: Mapping[str, Answer]) -> None:
        """Add or replace answers, all or none; durable when it returns."""
        self._documents.put_all(_ANSWERS, {key: each.document for key, each in answers.items()})
        self._changed()

    def delete(self, answer_id: str) -> None:
        """Take one away; an unknown one is gone already."""
        self._documents.delete(_ANSWERS, answer_id)
        self._changed()

    def all(self) -> dict[str, Answer]:
        """All answers, by id."""
        return {key: Answer.of(each) for key, each in self._documents.all(_ANSWERS).items()}

    def state(self) -> dict[str, dict[str, Any]]:
        """What is another one whenever answers or the model in use have changed; small."""
        return self._documents.all(_STATE)

    def models(self) -> dict[str, dict[str, Any]]:
        """Documents of the versions that are kept, with what their training said, oldest first."""
        found = self._documents.all(_MODELS)
        return {version: found[version] for version in sorted(found, key=int)}

    def in_use(self) -> str:
        """The version that answers."""
        return str(self.state().get(_IN_USE, {}).get("version", UNTRAINED))

    def model(self, profile: str) -> AnswerModel:
        """The one in use, for an encoder of this profile.

        Raises KeyError, TypeError, ValueError for a document that is none, or of another profile.
        """
        version = self.in_use()
        if version == UNTRAINED:
            return AnswerModel.untrained(profile)
        document = self._documents.all(_MODELS)[version]
        if document["profile"] != profile:
            raise ValueError(f"trained for the encoder {document['profile']}")
        return AnswerModel.of(document)

    def publish(self, model: Mapping[str, Any]) -> str:
        """Keep the document of a model as the next version, and take it into use.

        The oldest versions beyond MODELS_KEPT are dropped.
        """
        kept = self.models()
        version = str(max(map(int, kept), default=0) + 1)
        self._documents.put(_MODELS, version, {**model, "version": version})
        self.use(version)
        for old in [*kept][: max(len(kept) + 1 - MODELS_KEPT, 0)]:
            self._documents.delete(_MODELS, old)
        return version

    def use(self, version: str) -> None:
        """Have a version answer that is kept, or UNTRAINED. Raises UnknownVersionError."""
        kept = [*self.models(), UNTRAINED]
        if version not in kept:
            raise UnknownVersionError(f"version {version} is not kept; {', '.join(kept)} are")
        before = self.in_use()
        self._documents.put(_STATE, _IN_USE, {"version": version, "before": before})

    def roll_back(self) -> str:
        """Return to the version that was in use before this one; which that is.

        Raises UnknownVersionError.
        """
        before = str(self.state().get(_IN_USE, {}).get("before", UNTRAINED))
        self.use(before)
        return before

    def _changed(self) -> None:
        self._documents.put(_STATE, _COLLECTION, {"change": uuid.uuid4().hex})
