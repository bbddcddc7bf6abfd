"""The experiments that the shop's rules declare, and what was read of them."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Response

from serving.errors import NoReadingError, UnknownExperimentError
from serving.experiments.published import kept_readings
from serving.http.access.auth import Keyring, Scope
from serving.http.bodies import json_response
from serving.http.dependencies import Scoped
from serving.http.openapi import gives
from serving.http.schemas.experiments import ExperimentOut, ExperimentsOut, VersionsOut
from serving.http.schemas.readings import ReadingOut
from serving.http.status import Status
from serving.shops.experiments import Experiment, Holdout, Kind
from serving.shops.shop import Shop, Shops
from serving.shops.waiting_room import WaitingRoom

_Key = Annotated[str, Path(max_length=64)]


def add_experiments(app: FastAPI, shops: Shops, status: Status, keys: Keyring) -> None:
    """Register the endpoints; a key needs the scope `admin`."""
    admin = Depends(Scoped(keys, Scope.ADMIN))
    room = WaitingRoom("controls", 2, 8)

    @app.get("/v1/experiments", openapi_extra=gives(ExperimentsOut))
    async def list_experiments(caller: Annotated[Any, admin]) -> Response:
        """The experiments that are declared, in any status."""
        shop = shops.of(caller.shop)
        readings = await room.do(lambda: kept_readings(shop.controls))
        holdout = shop.rules.holdout
        declared = [_document(each, holdout, readings) for each in shop.rules.experiments]
        return json_response({"experiments": declared, "holdout": holdout.share})

    @app.get("/v1/experiments/{key}", openapi_extra=gives(ExperimentOut))
    async def get_experiment(key: _Key, caller: Annotated[Any, admin]) -> Response:
        """One experiment as it is declared."""
        shop = shops.of(caller.shop)
        readings = await room.do(lambda: kept_readings(shop.controls))
        return json_response(_document(_declared(shop, key), shop.rules.holdout, readings))

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
    raise UnknownExperimentError("key: the rules declare no such experiment")


def _document(
    experiment: Experiment, holdout: Holdout, readings: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    document = experiment.model_dump(mode="json")
    document["read_at"] = readings.get(experiment.key, {}).get("read_at")
    share = experiment.coverage
    if experiment.kind is Kind.AB:
        start, end = experiment.namespace.range if experiment.namespace else (0.0, 1.0)
        share *= (end - start) * (1 - holdout.share)
    document["seed"] = experiment.seed or experiment.key
    for arm, weight in zip(document["arms"], experiment.weights, strict=True):
        arm["weight"], arm["share"] = weight, round(share * weight, 6)
    return document
