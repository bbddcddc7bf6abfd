"""The experiments that the shop's rules declare. They are changed where the rules are."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Response

from serving.errors import UnknownExperimentError
from serving.http.access.auth import Keyring, Scope
from serving.http.bodies import json_response
from serving.http.dependencies import Scoped
from serving.http.openapi import gives
from serving.http.schemas.experiments import ExperimentOut, ExperimentsOut
from serving.shops.experiments import Experiment, Holdout, Kind
from serving.shops.shop import Shops


def add_experiments(app: FastAPI, shops: Shops, keys: Keyring) -> None:
    """Register the endpoints; a key needs the scope `admin`."""
    admin = Depends(Scoped(keys, Scope.ADMIN))

    @app.get("/v1/experiments", openapi_extra=gives(ExperimentsOut))
    async def list_experiments(caller: Annotated[Any, admin]) -> Response:
        """The experiments that are declared, in any status."""
        rules = shops.of(caller.shop).rules
        declared = [_document(experiment, rules.holdout) for experiment in rules.experiments]
        return json_response({"experiments": declared, "holdout": rules.holdout.share})

    @app.get("/v1/experiments/{key}", openapi_extra=gives(ExperimentOut))
    async def get_experiment(
        key: Annotated[str, Path(max_length=64)], caller: Annotated[Any, admin]
    ) -> Response:
        """One experiment as it is declared."""
        rules = shops.of(caller.shop).rules
        for experiment in rules.experiments:
            if experiment.key == key:
                return json_response(_document(experiment, rules.holdout))
        raise UnknownExperimentError("key: the rules declare no such experiment")


def _document(experiment: Experiment, holdout: Holdout) -> dict[str, Any]:
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
