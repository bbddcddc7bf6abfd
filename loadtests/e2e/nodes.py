"""Ray's nodes and replicas, second by second: what Serve wants, what is asked for, what is there.

Kubernetes tells its own changes (`kubectl get --watch`); Serve is asked once a second by a script
in the pod of the active cluster's head.
"""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from helm.tools.binaries import binary
from helm.tools.kubernetes import CommandError, Json, ready
from loadtests.e2e.shop import Shop, cluster_of

_SERVE = """
import json, os, time, urllib.request
request = urllib.request.Request("http://127.0.0.1:8265/api/serve/applications/")
if token := os.environ.get("RAY_AUTH_TOKEN"):
    request.add_header("authorization", "Bearer " + token)
while True:
    with urllib.request.urlopen(request, timeout=10) as answer:
        applications = json.load(answer)["applications"]
    told = {
        name: {
            "target": deployment["target_num_replicas"],
            "running": [each["node_id"] for each in deployment["replicas"]
                        if each["state"] in ("RUNNING", "PENDING_MIGRATION")],
        }
        for application in applications.values()
        for name, deployment in application["deployments"].items()
    }
    print(json.dumps(told), flush=True)
    time.sleep(1)
"""


@dataclass(frozen=True)
class Sample:
    """The active cluster at one moment. targets, running: replicas, by deployment."""

    at_s: float
    cluster: str
    targets: dict[str, int]
    running: dict[str, int]
    holding: int  # nodes that have a replica
    asked: int  # nodes that Ray's autoscaler wants
    made: int  # pods
    started: int  # whose Ray runs
    ready: int  # that take requests


@dataclass
class Timeline:
    """What is drawn. marks: what was done, by the second of the clock."""

    samples: list[Sample] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)
    crowd: list[tuple[int, Json]] = field(default_factory=list)  # lines of its pod


@dataclass
class Watch:
    """Runs from `start` until `stop`; `samples` grows meanwhile."""

    shop: Shop
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pods: dict[str, Json] = {}
        self._clusters: dict[str, Json] = {}
        self._processes: list[subprocess.Popen[str]] = []
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin."""
        workers = ("pods", "-l", "app.kubernetes.io/component=worker")
        for run in (
            lambda: self._follow(self._pods, *workers),
            lambda: self._follow(self._clusters, "rayclusters"),
            self._ask_serve,
        ):
            threading.Thread(target=self._repeat, args=(run,), daemon=True).start()

    def stop(self) -> None:
        """End what it began."""
        self._stopped.set()
        for process in list(self._processes):
            process.terminate()

    def _repeat(self, run: Callable[[], None]) -> None:
        """A watch ends after a while, and Serve's with its head: then anew."""
        while not self._stopped.wait(1.0):
            with suppress(CommandError, ValueError, KeyError):
                run()

    def _follow(self, seen: dict[str, Json], *what: str) -> None:
        seen.clear()
        options = ("--watch", "--output-watch-events", "-o", "json")
        for line in self._lines("get", *what, *options):
            change = json.loads(line)
            name = change["object"]["metadata"]["name"]
            if change["type"] == "DELETED":
                seen.pop(name, None)
            else:
                seen[name] = change["object"]

    def _ask_serve(self) -> None:
        cluster = self.shop.active()
        (head,) = (pod for pod in self.shop.space.pods("head") if cluster_of(pod) == cluster)
        name = head["metadata"]["name"]
        for line in self._lines("exec", name, "-c", "ray-head", "--", "python", "-c", _SERVE):
            if told := json.loads(line):  # nothing while the application is built
                self.samples.append(self._sample(cluster, told))
            if self._moved(cluster):
                return

    def _moved(self, cluster: str) -> bool:
        """Whether another cluster is the active one, as an upgrade makes it."""
        others = self._clusters.keys() - {cluster}
        return bool(others) and self.shop.active() not in ("", cluster)

    def _sample(self, cluster: str, told: Json) -> Sample:
        (group,) = self._clusters[cluster]["spec"]["workerGroupSpecs"]
        pods = [each for each in list(self._pods.values()) if cluster_of(each) == cluster]
        return Sample(
            at_s=time.time(),
            cluster=cluster,
            targets={name: each["target"] for name, each in told.items()},
            running={name: len(each["running"]) for name, each in told.items()},
            holding=len({node for each in told.values() for node in each["running"]}),
            asked=max(group.get("replicas", 0), group["minReplicas"]),
            made=len(pods),
            started=sum(map(_started, pods)),
            ready=sum(map(ready, pods)),
        )

    def _lines(self, *arguments: str) -> Iterator[str]:
        """What a kubectl that goes on prints."""
        command = [str(binary("kubectl")), "-n", self.shop.space.name, *arguments]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            self._processes.append(process)
            try:
                yield from process.stdout or ()
            finally:
                process.terminate()
                self._processes.remove(process)


def _started(pod: Json) -> bool:
    """Whether Ray's container runs."""
    return any(
        each["name"] == "ray-worker" and "running" in each["state"]
        for each in pod["status"].get("containerStatuses", [])
    )
