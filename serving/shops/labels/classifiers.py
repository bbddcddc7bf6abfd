"""A shop's classifiers, shared by its replicas as documents."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from features.controls.store import Controls
from serving.errors import ConflictError, InvalidRequestError, UnknownClassifierError
from serving.models.contract import EncoderProfile
from serving.shops.labels.classifier import Classifier

CLASSIFIERS = "classifier"  # documents, by name
AT_MOST = 16  # each label is a value of a metric's labels
_FRESH_S = 2.0


@dataclass(frozen=True, slots=True)
class Served:
    """A classifier in use. version: how often the name was put, from 1."""

    name: str
    version: int
    classifier: Classifier


class Classifiers:
    """Read when somebody asks, and again after _FRESH_S: a shop without them pays nothing.

    profile: of the encoder in use; what was learnt on another's vectors is not served
    """

    def __init__(
        self,
        controls: Controls,
        profile: EncoderProfile,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._controls = controls
        self._profile = profile
        self._clock = clock
        self._lock = threading.Lock()  # around what is read and then stands
        self._documents: dict[str, dict[str, Any]] = {}
        self._served: dict[str, Served] = {}
        self._read_s = -_FRESH_S

    def at_hand(self, name: str) -> Served | None:
        """The classifier, if it was read a moment ago; None: `of` must look."""
        served = self._served.get(name)
        if served is None or self._clock() - self._read_s >= _FRESH_S:
            return None
        return served if served.classifier.profile is self._profile else None

    def of(self, name: str) -> Served:
        """The classifier as the store has it now; blocks. While the store is away, the last one.

        Raises UnknownClassifierError, and what a store raises that is away.
        """
        try:
            self._take()
        except Exception:
            if name not in self._served:
                raise
        served = self._served.get(name)
        if served is None:
            raise UnknownClassifierError("classifier: this shop has none of this name")
        if served.classifier.profile is not self._profile:
            raise UnknownClassifierError(
                f"classifier: it was trained for the {served.classifier.profile} encoder, and "
                f"the {self._profile} one is in use"
            )
        return served

    def all(self) -> list[Served]:
        """All that were put, by name; blocks."""
        self._take()
        return [self._served[name] for name in sorted(self._served)]

    def put(self, name: str, classifier: Classifier) -> Served:
        """Take a classifier into use, or another version of it; durable when it returns.

        Raises InvalidRequestError and ConflictError, which change nothing, and StoreFullError.
        """
        if classifier.profile is not self._profile:
            raise InvalidRequestError(f"profile: the encoder in use is the {self._profile} one")
        definition = classifier.model_dump(mode="json")
        while True:
            documents = self._controls.all(CLASSIFIERS)
            before = documents.get(name)
            if before is None and len(documents) >= AT_MOST:
                raise ConflictError(f"name: a shop has {AT_MOST} classifiers at most")
            version = 1 if before is None else before["version"] + 1
            document = {"version": version, "classifier": definition}
            if self._controls.swap(CLASSIFIERS, name, before, document):
                self._take()
                return Served(name, version, classifier)

    def delete(self, name: str) -> None:
        """Serve it no more; an unknown one is gone already."""
        self._controls.delete(CLASSIFIERS, name)
        self._take()

    def _take(self) -> None:
        with self._lock:
            documents = self._controls.all(CLASSIFIERS)
            if documents != self._documents:
                self._served = _served(documents, self._documents, self._served)
                self._documents = documents
            self._read_s = self._clock()


def _served(
    documents: Mapping[str, dict[str, Any]],
    before: Mapping[str, dict[str, Any]],
    served: Mapping[str, Served],
) -> dict[str, Served]:
    found = {}
    for name, document in documents.items():
        if document == before.get(name) and name in served:
            found[name] = served[name]
            continue
        try:
            classifier = Classifier.model_validate(document["classifier"])
        except (KeyError, ValidationError):
            continue  # of a newer release
        found[name] = Served(name, document["version"], classifier)
    return found
