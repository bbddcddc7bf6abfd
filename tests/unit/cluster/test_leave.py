"""A Ray node that leaves: the shop has another that answers before it goes."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from serving.cluster.leave import ARRIVAL_S, SETTLE_S, Leave

DEPLOYMENTS = ("Ingress", "Ranker", "ColdStart")
ARGS = {"pipeline": {"default_budget_s": 0.2}}


class FakeRay:
    """Serve and GCS as far as leaving sees them. `arrives`: after so long another node is there."""

    def __init__(self, replicas: Mapping[str, Collection[str]], arrives_s: float | None) -> None:
        self.node_id = "here"
        self.now_s = 0.0
        self._arrives_s = arrives_s
        self._asked_s: float | None = None
        self.replicas = {name: list(nodes) for name, nodes in replicas.items()}
        self.targets = {name: len(nodes) for name, nodes in replicas.items()}
        self.bounds = dict.fromkeys(replicas, (1, 2))
        self.said: set[str] = set()
        self.drained_s: float | None = None
        self.done: list[tuple[str, Any]] = []
        self.room: dict[str, int] = {}  # replicas more that fit on this node
        self.waiting = 0  # replicas of each deployment for which there is no node
        self.proxy_s = 0.0  # from another node's arrival until its proxy is healthy
        self.hidden_s = 0.0  # after a deploy, while Serve builds the application

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def leaving(self) -> Collection[str]:
        return self.said

    def mark_leaving(self) -> None:
        self.said.add(self.node_id)

    def status(self) -> Mapping[str, Any]:
        self._follow()
        if self._asked_s is not None and self.now_s < self._asked_s + self.hidden_s:
            config = {"name": "vitrine", "args": ARGS}
            return {
                "proxy_location": "EveryNode",
                "http_options": {"host": "0.0.0.0", "port": 8000},
                "proxies": {"head": {"status": "HEALTHY"}, "here": {"status": "HEALTHY"}},
                "applications": {"vitrine": {"deployments": {}, "deployed_app_config": config}},
            }
        nodes = sorted({node for each in self.replicas.values() for node in each})
        config = {"name": "vitrine", "import_path": "serving.app:build_app", "args": ARGS}
        deployments = {
            name: {
                "replicas": [
                    *({"node_id": node, "state": "RUNNING"} for node in self.replicas[name]),
                    *({"state": "STARTING"} for _ in range(self.waiting)),
                ],
                "target_num_replicas": self.targets[name],
                "deployment_config": {
                    "autoscaling_config": {
                        "min_replicas": self.bounds[name][0],
                        "max_replicas": self.bounds[name][1],
                    }
                },
            }
            for name in self.replicas
        }
        return {
            "proxy_location": "EveryNode",
            "http_options": {"host": "0.0.0.0", "port": 8000, "root_path": ""},
            "proxies": {node: {"status": self._proxy(node)} for node in ["head", *nodes]},
            "applications": {
                "vitrine": {"deployments": deployments, "deployed_app_config": config}
            },
        }

    def deploy(self, config: Mapping[str, Any]) -> None:
        (application,) = config["applications"]
        assert application["args"] == ARGS
        given = {
            each["name"]: (
                each["autoscaling_config"]["min_replicas"],
                each["autoscaling_config"]["max_replicas"],
            )
            for each in application["deployments"]
        }
        first = {
            each["autoscaling_config"]["initial_replicas"] for each in application["deployments"]
        }
        assert first == {None}, "Serve would go back to it, and refuse bounds above or below it"
        self.bounds |= given
        for name, (least, most) in given.items():
            self.targets[name] = min(max(self.targets[name], least), most)
        self._asked_s = self._asked_s or self.now_s
        self.done.append(("deploy", given))

    def drain(self, deadline_s: float) -> None:
        self.drained_s = self.now_s
        self.done.append(("drain", None))

    def _proxy(self, node: str) -> str:
        if node != "there" or self.now_s >= self._arrived_s() + self.proxy_s:
            return "HEALTHY"
        return "STARTING"

    def _arrived_s(self) -> float:
        if self._asked_s is None or self._arrives_s is None:
            return math.inf
        return self._asked_s + self._arrives_s

    def _follow(self) -> None:
        """As many replicas as wanted, where there is a node for them."""
        arrived = self.now_s >= self._arrived_s()
        for name, nodes in self.replicas.items():
            while len(nodes) < self.targets[name] and self.room.get(name, 0) > 0:
                self.room[name] -= 1
                nodes.append("here")
            if arrived and len(nodes) < self.targets[name]:
                nodes.append("there")
            if self.drained_s is not None and "there" in nodes:
                while len(nodes) > self.targets[name] and "here" in nodes:
                    nodes.remove("here")


def leave(ray: FakeRay) -> str:
    return Leave(ray, ray.sleep, lambda: ray.now_s).run()


def test_the_only_node_stays_until_another_one_answers() -> None:
    ray = FakeRay({name: ["here"] for name in DEPLOYMENTS}, arrives_s=30.0)
    assert leave(ray) == "another node took over"
    assert [what for what, _ in ray.done] == ["deploy", "drain", "deploy", "deploy"]
    assert ray.done[0][1] == dict.fromkeys(DEPLOYMENTS, (2, 2))
    assert ray.drained_s is not None
    assert ray.drained_s >= 30.0 + SETTLE_S, "the Service had no time to let go of it"
    assert ray.done[2][1] == dict.fromkeys(DEPLOYMENTS, (1, 1)), "successors would find no node"
    assert all(nodes == ["there"] for nodes in ray.replicas.values())


def test_an_application_that_is_built_anew_answers_nowhere_yet() -> None:
    ray = FakeRay({name: ["here"] for name in DEPLOYMENTS}, arrives_s=60.0)
    ray.hidden_s = 40.0
    assert leave(ray) == "another node took over"
    assert ray.drained_s is not None
    assert ray.drained_s >= 60.0 + SETTLE_S


def test_a_replica_that_found_room_here_counts_for_nothing() -> None:
    ray = FakeRay({name: ["here"] for name in DEPLOYMENTS}, arrives_s=30.0)
    ray.room = {"ColdStart": 2}
    assert leave(ray) == "another node took over"
    assert all(nodes == ["there"] for nodes in ray.replicas.values())
    assert ray.bounds == dict.fromkeys(DEPLOYMENTS, (1, 2))


def test_a_node_whose_proxy_starts_is_waited_for_and_no_other_one_is_asked_for() -> None:
    ray = FakeRay({name: ["here"] for name in DEPLOYMENTS}, arrives_s=30.0)
    ray.proxy_s = 10.0
    assert leave(ray) == "another node took over"
    assert [what for what, _ in ray.done] == ["deploy", "drain", "deploy", "deploy"]
    assert ray.drained_s is not None
    assert ray.drained_s >= 40.0 + SETTLE_S


def test_a_replica_that_waits_for_a_node_is_on_none() -> None:
    ray = FakeRay({name: ["here"] for name in DEPLOYMENTS}, arrives_s=30.0)
    ray.waiting = 1
    assert leave(ray) == "another node took over"
    assert ray.bounds == dict.fromkeys(DEPLOYMENTS, (1, 2))


def test_the_bounds_are_those_of_before_in_the_end() -> None:
    for arrives_s in (30.0, None):
        ray = FakeRay({name: ["here"] for name in DEPLOYMENTS}, arrives_s)
        leave(ray)
        assert ray.bounds == dict.fromkeys(DEPLOYMENTS, (1, 2))


def test_a_node_that_no_other_replaces_leaves_after_a_bound() -> None:
    ray = FakeRay({name: ["here"] for name in DEPLOYMENTS}, arrives_s=None)
    assert "no other node answered" in leave(ray)
    assert ARRIVAL_S <= ray.now_s <= ARRIVAL_S + 60
    assert ray.drained_s is None


def test_one_of_several_nodes_asks_for_nothing() -> None:
    ray = FakeRay({name: ["here", "other"] for name in DEPLOYMENTS}, arrives_s=None)
    assert leave(ray) == "others answer"
    assert (ray.done, ray.now_s) == ([], SETTLE_S)


def test_only_a_deployment_that_is_nowhere_else_gets_another_replica() -> None:
    ray = FakeRay({"Ingress": ["here", "other"], "Ranker": ["here"]}, arrives_s=10.0)
    assert leave(ray) == "another node took over"
    assert ray.done[0][1] == {"Ranker": (2, 2)}


def test_a_node_that_leaves_as_well_is_none_to_rely_on() -> None:
    ray = FakeRay({name: ["here", "other"] for name in DEPLOYMENTS}, arrives_s=30.0)
    ray.said.add("other")
    assert leave(ray) == "another node took over"
    assert ray.done[0][1] == dict.fromkeys(DEPLOYMENTS, (3, 3))


def test_without_a_head_it_answers_for_a_while_and_leaves() -> None:
    class Gone(FakeRay):
        def status(self) -> Mapping[str, Any]:
            raise OSError("connection refused")

    ray = Gone({name: ["here"] for name in DEPLOYMENTS}, arrives_s=None)
    assert leave(ray) == "the head does not answer: connection refused"
    assert ray.now_s == pytest.approx(SETTLE_S)
