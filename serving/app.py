"""build_app(settings): the graph. The only module that makes deployments and wires classes.

Ingress -> Ranker -> Triton is the one hop of a ranking. One ingress replica batches for itself, and
rules run in the ingress too, unless the settings ask for a Ranker (docs/adr/0042) or for ColdStart
(docs/adr/0018), deployments of their own.
"""

import asyncio
import gc
import logging
from collections.abc import Callable
from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp

from features.behavior.matrix import FEATURE_NAMES
from features.objective import read_objective
from features.telemetry.logs import log_json
from serving.errors import RankingError
from serving.models.batcher import Ranker, RankerJob, RankerReply
from serving.models.contract import candidate_model
from serving.models.triton import TritonRanker
from serving.models.versions import VersionedRanker
from serving.ranking.cold_start import cold_start_scores
from serving.ranking.remote import RemoteColdStart, RemoteRanker
from serving.ranking.values import FeatureMatrix
from serving.settings import ReplicaSettings, Settings
from serving.shops.alerts.webhook import check_webhook
from serving.shops.rules import read_rules
from serving.types import Scores

_LOG = logging.getLogger("vitrine.replica")


def build_app(settings: Settings) -> Application:
    """The application, ready for `serve.run` or a RayService's `import_path`."""
    rules = read_rules(settings.rules_path)  # a mistake stops the deploy, not a ranking
    check_webhook(rules.alerts.webhook, settings.alerts)
    read_objective(settings.objective_path)
    replicas = settings.deployments
    ranker = cold_start = None
    if settings.pipeline.ranker == "deployment":
        ranker = _deploy(RankerReplica, "Ranker", replicas.ranker).bind(settings)
    if settings.pipeline.cold_start == "deployment":
        cold_start = _deploy(ColdStartReplica, "ColdStart", replicas.cold_start).bind(settings)
    ingress = _deploy(serve.ingress()(IngressReplica), "Ingress", replicas.ingress)
    app: Application = ingress.bind(settings, ranker, cold_start)
    return app


def _deploy(cls: Callable[..., Any], name: str, replicas: ReplicaSettings) -> Any:
    return serve.deployment(
        name=name,
        autoscaling_config=replicas.autoscaling(),
        max_ongoing_requests=replicas.max_ongoing_requests,
        max_queued_requests=replicas.max_queued_requests,
        ray_actor_options={"num_cpus": replicas.num_cpus},
        # An access log would hold what is in paths: shoppers' ids. At INFO its records are made
        # all the same, and dropped.
        logging_config={"enable_access_log": False, "encoding": "JSON", "log_level": "WARNING"},
    )(cls)


def _ranker(settings: Settings) -> VersionedRanker:
    """Batches for the model server, with connections to it."""
    where = settings.model

    def ranker(model: str) -> Ranker:
        triton = TritonRanker(where.grpc_address, model, where.tls, FEATURE_NAMES)
        return Ranker(triton, settings.ranker)

    return VersionedRanker(
        ranker(where.ranker), lambda version: ranker(candidate_model(where.ranker, version))
    )


class RankerReplica:
    """Batches for the model server, of all ingress replicas."""

    def __init__(self, settings: Settings) -> None:
        log_json("ranker", settings.logs.folder, settings.logs.level)
        self._ranker = _ranker(settings)

    async def score(self, job: RankerJob, budget_s: float) -> RankerReply | RankingError:
        """See Ranker.score. Its RankingError is returned, for RemoteRanker to raise.

        What is raised here Serve logs with a traceback, and with the caller's X-Request-ID as sent.
        """
        try:
            return await self._ranker.score(job, budget_s)
        except RankingError as error:
            return error


class ColdStartReplica:
    """Rules as a deployment."""

    def __init__(self, settings: Settings) -> None:
        log_json("cold_start", settings.logs.folder, settings.logs.level)
        self._rules = read_rules(settings.rules_path).cold_start

    async def score(self, features: FeatureMatrix) -> Scores:
        """See cold_start_scores."""
        return cold_start_scores(features, self._rules)


class IngressReplica:
    """HTTP, features, retrieval and rules in one process; it calls the Ranker, or is it."""

    def __init__(
        self,
        settings: Settings,
        ranker: DeploymentHandle[Any] | None,
        cold_start: DeploymentHandle[Any] | None,
    ) -> None:
        log_json("ingress", settings.logs.folder, settings.logs.level)
        # Imported here: Feast, pandas and the indexes are 200 MB that no other replica needs.
        from serving.wiring import endpoints

        self._endpoints = endpoints(
            settings,
            _ranker(settings) if ranker is None else RemoteRanker(ranker),
            None if cold_start is None else RemoteColdStart(cold_start),
        )
        # Catalogue and indexes stay: a full collection need not look through them each time.
        gc.collect()
        gc.freeze()

    async def __del__(self) -> None:
        """Serve calls it at the replica's end, when it answers no request any more."""
        if hasattr(self, "_endpoints"):  # not where it could not be constructed
            await asyncio.to_thread(self._endpoints.close)
            _LOG.info("the replica is closed")

    def __serve_build_asgi_app__(self) -> ASGIApp:
        from serving.http.application import http_app

        return http_app(self._endpoints, traced=True)
