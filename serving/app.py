"""build_app(settings): the graph. The only module that makes deployments and wires classes.

Ingress -> Ranker -> Triton is the one hop of a ranking. ColdStart is its own deployment, so that
rules scale and roll alone, and the ingress keeps a local instance as the last resort.
"""

from collections.abc import Callable
from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp

from serving.cold_start import ColdStart
from serving.ranker import Ranker, RankerJob, RankerReply
from serving.remote import RemoteColdStart, RemoteRanker
from serving.rules import read_rules
from serving.settings import Settings
from serving.triton import TritonRanker
from serving.types import FeatureMatrix, Scores

# Queues are bounded: more is refused at once. `settings.deployments` overrides the sizes.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "Ingress": {"max_ongoing_requests": 128, "max_queued_requests": 256},
    "Ranker": {"max_ongoing_requests": 128, "max_queued_requests": 128},
    "ColdStart": {"max_ongoing_requests": 64, "max_queued_requests": 128},
}
# An access log would hold what is in paths: shoppers' ids.
_COMMON: dict[str, Any] = {"logging_config": {"enable_access_log": False}}
_ACTOR = {"num_cpus": 0.1}  # locally all share two cores; a cluster's values give real shares


def build_app(settings: Settings) -> Application:
    """The application, ready for `serve.run` or a RayService's `import_path`."""
    read_rules(settings.rules_path)  # a mistake in the rules stops the deploy, not a ranking
    ranker = _deploy(RankerReplica, "Ranker", settings).bind(settings)
    cold_start = _deploy(ColdStartReplica, "ColdStart", settings).bind(settings)
    ingress = _deploy(serve.ingress()(IngressReplica), "Ingress", settings)
    return ingress.bind(settings, ranker, cold_start)


def _deploy(cls: Callable[..., Any], name: str, settings: Settings) -> Any:
    asked = settings.deployments.get(name, {})
    options = {"ray_actor_options": _ACTOR, **_COMMON, **_DEFAULTS[name], **asked}
    return serve.deployment(name=name, **options)(cls)


class RankerReplica:
    """A Ranker with its connection to Triton."""

    def __init__(self, settings: Settings) -> None:
        model = TritonRanker(settings.model.grpc_address, settings.model.ranker)
        self._ranker = Ranker(model, settings.ranker)

    async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
        """See Ranker.score."""
        return await self._ranker.score(job, budget_s)


class ColdStartReplica:
    """Rules as a deployment."""

    def __init__(self, settings: Settings) -> None:
        self._cold_start = ColdStart(read_rules(settings.rules_path).cold_start)

    async def score(self, features: FeatureMatrix) -> Scores:
        """See ColdStart.score."""
        return self._cold_start.score(features)


class IngressReplica:
    """HTTP, features, retrieval and rules in one process; it calls the Ranker."""

    def __init__(
        self, settings: Settings, ranker: DeploymentHandle, cold_start: DeploymentHandle
    ) -> None:
        # Imported here: Feast, pandas and the indexes are 200 MB that no other replica needs.
        from serving.endpoints import endpoints

        self._endpoints = endpoints(settings, RemoteRanker(ranker), RemoteColdStart(cold_start))

    def __serve_build_asgi_app__(self) -> ASGIApp:
        from serving.ingress import http_app

        return http_app(self._endpoints)
