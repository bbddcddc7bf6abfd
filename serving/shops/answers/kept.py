"""Where answers and their models are kept: documents that all replicas of a shop share.

Beside them stands one small document, which says that something changed: replicas read that often,
and the rest only when it did.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from features.controls.store import Documents
from features.controls.versions import KeptVersions
from serving.search.answers.answer import Answer
from serving.search.answers.model import UNTRAINED, AnswerModel

_ANSWERS = "answers"  # by answer_id
_STATE = "answers_state"  # _COLLECTION, and which model is in use
_COLLECTION = "collection"
MODELS_KEPT = 5


class KeptAnswers:
    """The answers and models in `documents`. Raises StoreFullError, and what a store raises that is
    away.

    models: the version UNTRAINED has no document
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.models = KeptVersions(documents, "answers_models", _STATE, UNTRAINED, MODELS_KEPT)

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

    def model(self, profile: str) -> AnswerModel:
        """The one in use, for an encoder of this profile.

        Raises KeyError, TypeError, ValueError for a document that is none, or of another profile.
        """
        version = self.models.in_use()
        if version == UNTRAINED:
            return AnswerModel.untrained(profile)
        document = self.models.all()[version]
        if document["profile"] != profile:
            raise ValueError(f"trained for the encoder {document['profile']}")
        return AnswerModel.of(document)

    def _changed(self) -> None:
        self._documents.put(_STATE, _COLLECTION, {"change": uuid.uuid4().hex})
