"""The installed shop as the suite watches it."""

import json
import time
from base64 import b64decode
from datetime import datetime
from pathlib import Path

from helm.tools.kubernetes import Json, Namespace, Release, ready, until
from loadtests.e2e.traffic import Traffic

CHART = Path(__file__).resolve().parents[2] / "helm"
# Where the values have each deployment's settings.
DEPLOYMENTS = {
    name: f"serving.settings.deployments.{name}" for name in ("ingress", "ranker", "cold_start")
}


class Shop:
    """A release of the chart, `vitrine`, in the namespace of that name, and traffic to it."""

    url = "http://vitrine.vitrine:8000"  # inside the cluster

    def __init__(self, values: list[Path], other_tag: str = "") -> None:
        self.other_tag = other_tag  # of images of serving, to upgrade to
        self.space = Namespace("vitrine")
        self.release = Release(self.space, CHART, "vitrine", values)
        self.callers = Namespace("storefront")

    def key(self) -> str:
        """The storefront's."""
        found = json.loads(self.space.kubectl("get", "secret", "vitrine-storefront", "-o", "json"))
        return b64decode(found["data"]["key"]).decode()

    def image(self) -> str:
        """The image of serving that runs."""
        (pod, *_) = self.space.pods("worker")
        image: str = pod["spec"]["containers"][0]["image"]
        return image

    def traffic(self, rate: float) -> Traffic:
        """Not started yet."""
        return Traffic(self.callers, self.url, self.key(), self.image(), rate)

    def ray_service(self) -> Json:
        """The object."""
        found: Json = json.loads(self.space.kubectl("get", "rayservice", "vitrine", "-o", "json"))
        return found

    def active(self) -> str:
        """The Ray cluster that KubeRay calls the active one."""
        return self._cluster("activeServiceStatus")

    def pending(self) -> str:
        """The one that is to be the active one when it is ready; "" when none is."""
        return self._cluster("pendingServiceStatus")

    def _cluster(self, status: str) -> str:
        name: str = self.ray_service()["status"].get(status, {}).get("rayClusterName", "")
        return name

    def workers(self) -> list[Json]:
        """Those that take requests."""
        return [pod for pod in self.space.pods("worker") if ready(pod)]

    def begin_job(self, name: str) -> str:
        """Of the chart's CronJob of that name, at once; returns the job's name."""
        job = f"{name}-{int(time.time())}"
        self.space.kubectl("create", "job", job, f"--from=cronjob/vitrine-{name}")
        return job

    def run_job(self, name: str) -> str:
        """The same until it is over well; returns what it said."""
        job = self.begin_job(name)
        self.space.kubectl("wait", "--for=condition=complete", f"job/{job}", "--timeout=300s")
        return self.space.kubectl("logs", f"job/{job}").strip()

    def settled(self) -> bool:
        """Whether there is one cluster, and everything that stays is ready."""
        clusters = _staying(self.space.get("raycluster"))
        parts = ("head", "worker", "model-server", "ingest", "redis", "nats")
        pods = _staying([pod for part in parts for pod in self.space.pods(part)])
        return len(clusters) == 1 and bool(pods) and all(map(ready, pods))

    def wait_settled(self, seconds: float = 400) -> float:
        """How long it took."""
        return until(self.settled, "one cluster, every pod ready", seconds, 2.0)

    def wait_upgraded(self, before: str, seconds: float = 400) -> float:
        """Until another cluster than `before` is the only one; how long it took."""
        took = until(
            lambda: self.active() not in ("", before), "a new cluster is active", seconds, 2.0
        )
        return took + self.wait_settled(seconds)


def _staying(found: list[Json]) -> list[Json]:
    return [each for each in found if "deletionTimestamp" not in each["metadata"]]


def seconds_to_ready(pod: Json) -> float:
    """From a pod's creation until it took requests."""
    conditions = {each["type"]: each["lastTransitionTime"] for each in pod["status"]["conditions"]}
    created, became = pod["metadata"]["creationTimestamp"], conditions["Ready"]
    return (_time(became) - _time(created)).total_seconds()


def cluster_of(pod: Json) -> str:
    """The Ray cluster of a node."""
    name: str = pod["metadata"]["labels"]["ray.io/cluster"]
    return name


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
