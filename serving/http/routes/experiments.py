"""The experiments that rules or API declare, what was decided of them, and what they do."""

import logging
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Request, Response

from serving.errors import (
    InvalidRequestError,
    NoReadingError,
    UnknownExperimentError,
    VitrineError,
)
from serving.experiments.published import kept_readings
from serving.http.access.auth import Keyring, Scope
from serving.http.bodies import json_response, read_body
from serving.http.dependencies import Scoped
from serving.http.openapi import gives, takes
from serving.http.schemas.experiments import (
    DecisionIn,
    ExperimentOut,
    ExperimentsOut,
    VersionsOut,
)
from serving.http.schemas.readings import ReadingOut
from serving.http.status import Status
from serving.shops.experiments import Experiment, Holdout, Kind
from serving.shops.shop import Shop, Shops
from serving.shops.steering.decision import Action, DecisionError, has_room
from serving.shops.waiting_room import WaitingRoom

_LOG = logging.getLogger("vitrine.http")
_UNKNOWN = "key: no such experiment is declared"
_Key = Annotated[str, Path(max_length=64)]


def add_experiments(app: FastAPI, shops: Shops, status: Status, keys: Keyring) -> None:
    """Register the endpoints; a key needs the scope `admin`."""
    admin = Depends(Scoped(keys, Scope.ADMIN))
    room = WaitingRoom("experiments", 2, 8)

    @app.get("/v1/experiments", openapi_extra=gives(ExperimentsOut))
    async def list_experiments(caller: Annotated[Any, admin]) -> Response:
        """The experiments that rules and API declare, in any status."""
        shop = shops.of(caller.shop)
        rules, left_out = shop.rules, shop.steering.in_force.left_out
        return json_response(
            {
                "experiments": await _told(room, shop, rules.experiments),
                "left_out": [{"key": key, "why": why} for key, why in left_out.items()],
                "holdout": rules.holdout.share,
            }
        )

    @app.get("/v1/experiments/{key}", openapi_extra=gives(ExperimentOut))
    async def get_experiment(key: _Key, caller: Annotated[Any, admin]) -> Response:
        """One experiment."""
        shop = shops.of(caller.shop)
        (told,) = await _told(room, shop, [_declared(shop, key)])
        return json_response(told)

    @app.put("/v1/experiments/{key}", openapi_extra=takes(Experiment, ExperimentOut))
    async def put_experiment(
        key: _Key, request: Request, caller: Annotated[Any, admin]
    ) -> Response:
        """Declare an experiment beside those of the rules, or declare it otherwise.

        It is kept when this answers, and all replicas rank by it within a second.
        """
        experiment = await read_body(request, Experiment)
        if experiment.key != key:
            raise InvalidRequestError("key: not that of the path")
        shop = shops.of(caller.shop)
        await room.do(lambda: shop.steering.declare(experiment))
        (told,) = await _told(room, shop, [_declared(shop, key)])
        return json_response(told)

    @app.delete("/v1/experiments/{key}", status_code=204)
    async def delete_experiment(key: _Key, caller: Annotated[Any, admin]) -> Response:
        """End an experiment that was declared by API: everyone is ranked as outside of it."""
        shop = shops.of(caller.shop)
        await room.do(lambda: shop.steering.end(key))
        return Response(status_code=204)

    @app.post("/v1/experiments/{key}/decision", openapi_extra=takes(DecisionIn, ExperimentOut))
    async def decide(key: _Key, request: Request, caller: Annotated[Any, admin]) -> Response:
        """Stop an experiment, promote an arm, or go on as declared.

        It is kept when this answers, and all replicas rank by it within a second.
        """
        body = await read_body(request, DecisionIn)
        shop = shops.of(caller.shop)
        experiment = _declared(shop, key)
        try:
            await room.do(lambda: shop.steering.decide(key, body.action, body.arm, body.why))
        except DecisionError as error:
            raise InvalidRequestError(str(error)) from None
        except KeyError:  # it was deleted meanwhile
            raise UnknownExperimentError(_UNKNOWN) from None
        (told,) = await _told(room, shop, [experiment])
        return json_response(told)

    @app.get("/v1/experiments/{key}/reading", openapi_extra=gives(ReadingOut))
    async def get_reading(key: _Key, caller: Annotated[Any, admin]) -> Response:
        """What an experiment has found so far, as it was read last."""
        shop = shops.of(caller.shop)
        _declared(shop, key)
        readings = await room.do(lambda: kept_readings(shop.controls))
        if key not in readings:
            raise NoReadingError("key: this experiment was not read yet")
        return json_response(readings[key])

    @app.get("/v1/versions", openapi_extra=gives(VersionsOut))
    async def list_versions(caller: Annotated[Any, admin]) -> Response:
        """The version of the ranker that is in use, and those that experiments try."""
        return json_response(await status.versions(shops.of(caller.shop)))


def _declared(shop: Shop, key: str) -> Experiment:
    for experiment in shop.rules.experiments:
        if experiment.key == key:
            return experiment
    left_out = shop.steering.in_force.left_out.get(key)
    raise UnknownExperimentError(f"key: it is not in force: {left_out}" if left_out else _UNKNOWN)


async def _told(
    room: WaitingRoom, shop: Shop, experiments: Iterable[Experiment]
) -> list[dict[str, Any]]:
    """Documents; without what the store knows, when it does not answer."""
    experiments = list(experiments)
    documents = {one.key: _document(one, shop) for one in experiments}

    def ask() -> None:
        readings = kept_readings(shop.controls)
        for experiment in experiments:
            document = documents[experiment.key]
            document["read_at"] = readings.get(experiment.key, {}).get("read_at")
            document["live"] = shop.steering.live(experiment)
            document["shown"] = shop.steering.shown(experiment)

    try:
        await room.do(ask)
    except VitrineError as error:
        _LOG.warning("what experiments do is not told: %s", error.code)
    return list(documents.values())


def _document(experiment: Experiment, shop: Shop) -> dict[str, Any]:
    standing, key = shop.steering.standing, experiment.key
    decision = standing.decisions.get(key)
    if decision is not None and decision.action is Action.RESUME:
        decision = None
    told = ("action", "arm", "why", "by", "at", "version")
    entry = shop.steering.in_force.entries.get(key)
    return {
        **_declaration(experiment, shop.rules.holdout),
        "by_api": entry and {"by": entry.by, "at": entry.at},
        "active": bool(
            standing.shadowing([experiment])
            or (standing.drawing([experiment]) and has_room(shop.rules, standing, experiment))
        ),
        "decision": decision and {name: decision.document[name] for name in told},
        "shown": None,
        "live": None,
        "read_at": None,
    }


def _declaration(experiment: Experiment, holdout: Holdout) -> dict[str, Any]:
    document = experiment.model_dump(mode="json")
    share = experiment.coverage
    if experiment.kind is not Kind.SHADOW:
        start, end = experiment.namespace.range if experiment.namespace else (0.0, 1.0)
        share *= (end - start) * (1 - holdout.share)
    document["seed"] = experiment.seed or experiment.key
    shared = experiment.kind is Kind.INTERLEAVE  # each of them sees both arms
    for arm, weight in zip(document["arms"], experiment.weights, strict=True):
        arm["weight"], arm["share"] = weight, round(share * (1 if shared else weight), 6)
    return document
