"""A Ray node says goodbye: `python -m serving.cluster.leave`, preStop of the worker's container.

While this runs the node goes on answering. Where others can take over, it gives the Service the
time to let go of it. Where it has the only replica of a deployment, a second one is asked for first
(Serve's REST API), which lands on the node that KubeRay makes in its place, and the node is drained
when that one answers. docs/adr/0029 tells what else was tried.
"""

import sys
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, Protocol

from serving.cluster.ray_cluster import RayCluster

SETTLE_S = 20.0  # for the Service and the balancers before it to let go of a node
NOTICE_S = 8.0  # for Ray's autoscaler to see the node that comes: it would ask for one more
ARRIVAL_S = 150.0  # for that node to answer
EMPTY_S = 15.0  # for the replicas here to finish what they have begun

Status = Mapping[str, Any]


class Cluster(Protocol):
    """What leaving needs of Ray. Methods raise OSError when the head does not answer."""

    node_id: str

    def leaving(self) -> Collection[str]:
        """The nodes that said `mark_leaving`."""
        ...

    def mark_leaving(self) -> None:
        """Let the others know that this node is no one to rely on."""
        ...

    def status(self) -> Status:
        """Serve's instance details."""
        ...

    def deploy(self, config: Mapping[str, Any]) -> None:
        """Give Serve this config; its other applications would be gone."""
        ...

    def drain(self, deadline_s: float) -> None:
        """Have the replicas of this node stopped when others can take over, within so long."""
        ...


class Leave:
    """The goodbye of one node."""

    def __init__(
        self,
        cluster: Cluster,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        arrival_s: float = ARRIVAL_S,
    ) -> None:
        self._cluster, self._sleep, self._clock = cluster, sleep, clock
        self._arrival_s = arrival_s

    def run(self) -> str:
        """Returns, in words, how it went, once the node may be ended."""
        cluster = self._cluster
        try:
            cluster.mark_leaving()
            if not self._alone_in(cluster.status()):
                self._sleep(SETTLE_S)
                return "others answer"
            self._sleep(NOTICE_S)
            status = cluster.status()
            return self._replaced(_bounds(status, self._alone_in(status)))
        except OSError as error:
            # The head is gone, as when the whole cluster ends: another cluster answers.
            self._sleep(SETTLE_S)
            return f"the head does not answer: {error}"

    def _replaced(self, before: Mapping[str, "Bounds"]) -> str:
        cluster = self._cluster
        try:
            if not self._until(lambda: self._others_have(before), self._arrival_s):
                return f"no other node answered within {self._arrival_s:.0f} s"
            self._sleep(SETTLE_S)
            cluster.drain(EMPTY_S)
            # No replica more than before: or the ones here would have successors, for which there
            # is no node.
            same = {name: each.as_many() for name, each in before.items()}
            cluster.deploy(_with_bounds(cluster.status(), same))
            self._until(lambda: cluster.node_id not in _nodes(cluster.status()), EMPTY_S)
            return "another node took over"
        finally:
            cluster.deploy(_with_bounds(cluster.status(), before))

    def _others_have(self, names: Collection[str]) -> bool:
        """Whether nodes that stay have all of these; asks for one more of what they lack.

        Not while one that was asked for has yet to run: it may find its place elsewhere. One that
        found room here counts for nothing, and then there is no room here for the next one.
        """
        status = self._cluster.status()
        elsewhere = self._elsewhere(status, names)
        settled = [
            name for name, nodes in elsewhere.items() if not nodes and _all_run(status, name)
        ]
        if settled:
            more = {name: each.one_more() for name, each in _bounds(status, settled).items()}
            self._cluster.deploy(_with_bounds(status, more))
        return not _unanswered(status, elsewhere)

    def _alone_in(self, status: Status) -> list[str]:
        """Which deployments no node answers for that stays."""
        return _unanswered(status, self._elsewhere(status, _deployments(status)))

    def _elsewhere(self, status: Status, names: Collection[str]) -> dict[str, set[str]]:
        """By deployment: the nodes that stay and have a replica; their proxies may yet start.

        One that the status leaves out, as while an application is built, is on no node.
        """
        gone = {*self._cluster.leaving(), self._cluster.node_id}
        return {
            name: {replica["node_id"] for replica in _running(status, name)} - gone
            for name in names
        }

    def _until(self, true: Callable[[], bool], seconds: float) -> bool:
        deadline_s = self._clock() + seconds
        while not true():
            if self._clock() > deadline_s:
                return False
            self._sleep(1.0)
        return True


class Bounds(NamedTuple):
    """How many replicas a deployment may have, and is to have."""

    least: int
    most: int
    now: int

    def one_more(self) -> "Bounds":
        """At least one more than now."""
        return Bounds(self.now + 1, max(self.most, self.now + 1), self.now)

    def as_many(self) -> "Bounds":
        """Not more than now."""
        return Bounds(min(self.least, self.now), self.now, self.now)


def _unanswered(status: Status, elsewhere: Mapping[str, set[str]]) -> list[str]:
    """The deployments that none of these nodes answers for."""
    ready = {node for node, proxy in status["proxies"].items() if proxy["status"] == "HEALTHY"}
    return [name for name, nodes in elsewhere.items() if not nodes & ready]


def _deployments(status: Status) -> Mapping[str, Any]:
    (application,) = status["applications"].values()
    found: Mapping[str, Any] = application["deployments"]
    return found


def _running(status: Status, name: str) -> list[Mapping[str, Any]]:
    """The replicas of a deployment that answer."""
    replicas = _deployments(status).get(name, {"replicas": []})["replicas"]
    return [replica for replica in replicas if replica["state"] == "RUNNING"]


def _all_run(status: Status, name: str) -> bool:
    """Whether a deployment has as many as it is to have."""
    found = _deployments(status).get(name)
    return found is not None and len(_running(status, name)) >= found["target_num_replicas"]


def _nodes(status: Status) -> set[str]:
    """Where replicas are; one that waits for a node is nowhere."""
    return {
        replica.get("node_id", "")
        for deployment in _deployments(status).values()
        for replica in deployment["replicas"]
    }


def _bounds(status: Status, names: Collection[str]) -> dict[str, Bounds]:
    found = {}
    for name, deployment in _deployments(status).items():
        if name in names:
            scaling = deployment["deployment_config"]["autoscaling_config"]
            now = deployment["target_num_replicas"]
            found[name] = Bounds(scaling["min_replicas"], scaling["max_replicas"], now)
    return found


def _with_bounds(status: Status, bounds: Mapping[str, Bounds]) -> dict[str, Any]:
    """The config that is deployed, with other bounds for some deployments."""
    (application,) = status["applications"].values()
    config = dict(application["deployed_app_config"])
    given = {each["name"]: each for each in config.get("deployments", [])}
    for name, each in bounds.items():
        own = given.get(name, {"name": name})
        scaling = {
            "min_replicas": each.least,
            "max_replicas": each.most,
            "initial_replicas": None,  # or Serve would go back to what it began with
        }
        given[name] = {
            **own,
            "autoscaling_config": {**own.get("autoscaling_config", {}), **scaling},
        }
    config["deployments"] = list(given.values())
    return {
        "proxy_location": status["proxy_location"],
        "http_options": {name: status["http_options"][name] for name in ("host", "port")},
        "applications": [config],
    }


def main() -> int:
    """The exit status. What is said is for whoever runs it by hand: of a hook nobody hears it."""
    try:
        said = Leave(RayCluster()).run()
    except Exception as error:  # whatever happens, the node still answers for a while
        said = f"not as planned: {type(error).__name__}: {error}"
        time.sleep(SETTLE_S)
    print(f"leaving: {said}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
