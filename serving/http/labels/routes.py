"""Texts get labels, classifiers are put and taken away, alerts are told."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Request, Response

from serving.errors import ForbiddenError, InvalidRequestError
from serving.http.access.auth import Keyring, Scope
from serving.http.bodies import json_response, read_body
from serving.http.dependencies import Scoped
from serving.http.direct import caller_of, direct
from serving.http.labels.schemas import (
    AlertsOut,
    ClassifierOut,
    ClassifiersOut,
    ClassifierWhole,
    ClassifyRequest,
    ClassifyResponse,
    StreamRequest,
    StreamResponse,
    StreamText,
)
from serving.http.openapi import gives, takes
from serving.ranking.texts.turns import TextTurns
from serving.shops.labels.classifier import NAME, Classifier
from serving.shops.labels.classifiers import Served
from serving.shops.labels.counting import KEPT_HOURS, UNSURE
from serving.shops.labels.labelling import Labelled, labelled
from serving.shops.shop import Shop, Shops
from serving.shops.waiting_room import WaitingRoom
from serving.telemetry.text_metrics import LABELLED, LABELLED_TEXTS

_Name = Annotated[str, Path(pattern=NAME)]
_EARLY_S = 300.0  # clocks differ
_SLICE = 128  # texts of a stream that are labelled within one budget
_OLDEST_S = KEPT_HOURS * 3600.0


class LabelRoutes:
    """The endpoints. turns: shared by all that encodes many texts."""

    def __init__(
        self, shops: Shops, turns: TextTurns, clock: Callable[[], float] = time.time
    ) -> None:
        self._shops = shops
        self._turns = turns
        self._clock = clock
        self._room = WaitingRoom("label store", 2, 32)

    def add_to(self, app: FastAPI, keys: Keyring) -> None:
        """Register them."""
        self._add_texts(app, keys)
        self._add_classifiers(app, Depends(Scoped(keys, Scope.ADMIN)))

    def _add_texts(self, app: FastAPI, keys: Keyring) -> None:
        @direct(
            app, "/v1/classify", Scoped(keys, Scope.RANK),
            openapi_extra=takes(ClassifyRequest, ClassifyResponse),
        )  # fmt: skip
        async def classify(request: Request) -> Response:
            """Label texts: the likeliest label of each, with probabilities.

            503 while the encoder does not answer: a guess by other means would look like a label.
            """
            body = await read_body(request, ClassifyRequest)
            served = await self._served(self._shops.of(caller_of(request).shop), body.classifier)
            with self._turns.admitted():
                found = await labelled(
                    self._turns, served.classifier, body.texts, body.unsure_below
                )
            return json_response({**_by(served), "labels": _labels(served.classifier, found)})

        @direct(
            app, "/v1/texts", Scoped(keys, Scope.EVENTS),
            openapi_extra=takes(StreamRequest, StreamResponse),
        )  # fmt: skip
        async def post_texts(request: Request) -> Response:
            """Label texts of a stream and count them by the hour, for alerts.

            What was counted is on disk when this answers; the texts are not kept. All are counted
            or none: send them again after a 503. Sent twice they count twice.
            """
            caller = caller_of(request)
            if caller.publishable:
                raise ForbiddenError("texts of a stream need a secret key")
            body = await read_body(request, StreamRequest)
            times = self._times(body.texts)
            shop = self._shops.of(caller.shop)
            served = await self._served(shop, body.classifier)
            labels = await self._stream_labels(served.classifier, body.texts)
            counted = list(zip(times, labels, strict=True))
            await self._room.do(lambda: shop.label_counts.add(served.name, counted))
            counts = Counter(labels)
            for label, n in counts.items():
                named = LABELLED[shop.name].of(served.name, label or "unsure")
                LABELLED_TEXTS.labels(shop.name, *named).inc(n)
            unsure = counts.pop(UNSURE, 0)
            answer = {**_by(served), "counted": len(labels), "labels": counts, "unsure": unsure}
            return json_response(answer)

    def _add_classifiers(self, app: FastAPI, admin: Any) -> None:
        @app.get("/v1/classifiers", openapi_extra=gives(ClassifiersOut))
        async def list_classifiers(caller: Annotated[Any, admin]) -> Response:
            """The shop's classifiers, and how good each was on texts held out."""
            found = await self._room.do(self._shops.of(caller.shop).classifiers.all)
            return json_response({"classifiers": [_told(served) for served in found]})

        @app.get("/v1/classifiers/{name}", openapi_extra=gives(ClassifierWhole))
        async def get_classifier(name: _Name, caller: Annotated[Any, admin]) -> Response:
            """One classifier, with its weights."""
            classifiers = self._shops.of(caller.shop).classifiers
            served = await self._room.do(lambda: classifiers.of(name))
            return json_response({**_told(served), "weights": served.classifier.weights})

        @app.put("/v1/classifiers/{name}", openapi_extra=takes(Classifier, ClassifierOut))
        async def put_classifier(
            name: _Name, request: Request, caller: Annotated[Any, admin]
        ) -> Response:
            """Take a classifier into use, as `make train-classify` has written it.

            All replicas label by it within two seconds. Put the version before again to go back.
            """
            classifier = await read_body(request, Classifier)
            classifiers = self._shops.of(caller.shop).classifiers
            served = await self._room.do(lambda: classifiers.put(name, classifier))
            return json_response(_told(served))

        @app.delete("/v1/classifiers/{name}", status_code=204)
        async def delete_classifier(name: _Name, caller: Annotated[Any, admin]) -> Response:
            """Label by it no more; an unknown one is gone already. Its counts stay."""
            classifiers = self._shops.of(caller.shop).classifiers
            await self._room.do(lambda: classifiers.delete(name))
            return Response(status_code=204)

        @app.get("/v1/alerts", openapi_extra=gives(AlertsOut))
        async def list_alerts(caller: Annotated[Any, admin]) -> Response:
            """The alerts that the rules declare, and how each stands."""
            shop = self._shops.of(caller.shop)
            told = await self._room.do(shop.alerts.told)
            budget = shop.rules.alerts.false_alarms_a_month
            return json_response({"false_alarms_a_month": budget, "alerts": told})

    async def _stream_labels(
        self, classifier: Classifier, texts: Sequence[StreamText]
    ) -> list[str]:
        """Labels, or UNSURE. Some texts after others: all together are not one caller's budget."""
        labels: list[str] = []
        with self._turns.admitted():
            for start in range(0, len(texts), _SLICE):
                some = [each.text for each in texts[start : start + _SLICE]]
                found = await labelled(self._turns, classifier, some)
                best = zip(found.best(classifier.labels), found.unsure.tolist(), strict=True)
                labels += [UNSURE if unsure or not label else label for label, unsure in best]
        return labels

    async def _served(self, shop: Shop, name: str) -> Served:
        at_hand = shop.classifiers.at_hand(name)
        if at_hand is None:
            at_hand = await self._room.do(lambda: shop.classifiers.of(name))
        return at_hand

    def _times(self, texts: Sequence[StreamText]) -> list[float]:
        """Unix seconds; raises InvalidRequestError for those that count in no window."""
        now_s = self._clock()
        times = [now_s if each.at is None else each.at.timestamp() for each in texts]
        for place, at_s in enumerate(times):
            if at_s > now_s + _EARLY_S:
                raise InvalidRequestError(f"texts.{place}.at: in the future")
            if at_s < now_s - _OLDEST_S:
                days = KEPT_HOURS // 24
                raise InvalidRequestError(f"texts.{place}.at: more than {days} days ago")
        return times


def _by(served: Served) -> dict[str, Any]:
    return {"classifier": served.name, "version": served.version}


def _told(served: Served) -> dict[str, Any]:
    document = served.classifier.model_dump(mode="json", exclude={"weights"})
    return {"name": served.name, "version": served.version, **document}


def _labels(classifier: Classifier, found: Labelled) -> list[dict[str, Any]]:
    best = found.best(classifier.labels)
    rows = found.probabilities.round(6).tolist()
    return [
        {
            "label": label,
            "unsure": unsure,
            "probabilities": {}
            if label is None
            else dict(zip(classifier.labels, row, strict=True)),
        }
        for label, unsure, row in zip(best, found.unsure.tolist(), rows, strict=True)
    ]
