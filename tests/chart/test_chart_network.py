"""Parts find each other, and nobody else does."""

import pytest

from helm.tools.rendering import RefusedError
from tests.support.chart.rendering import (
    Json,
    component,
    containers,
    every_pod,
    one,
    profile,
    render,
)


def matches(selector: Json, labels: Json) -> bool:
    """Whether a label selector takes a pod with these labels."""
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    for each in selector.get("matchExpressions", []):
        assert each["operator"] == "In"
        if labels.get(each["key"]) not in each["values"]:
            return False
    return True


def test_every_selector_finds_a_pod(found: list[Json]) -> None:
    labels = [pod["metadata"]["labels"] for _, pod in every_pod(found)]
    for document in found:
        spec, where = document.get("spec", {}), (document["kind"], document["metadata"]["name"])
        wanted = []
        if document["kind"] == "Service":
            wanted = [{"matchLabels": spec["selector"]}]
        elif document["kind"] in ("Deployment", "StatefulSet", "PodMonitor", "PodDisruptionBudget"):
            wanted = [spec["selector"]]
        elif document["kind"] == "NetworkPolicy":
            peers = [peer for way in ("ingress", "egress") for rule in spec.get(way, [])
                     for peer in rule.get("from", []) + rule.get("to", [])]  # fmt: skip
            wanted = [spec["podSelector"]]
            # Of parts that are optional, or in another namespace, none may be there.
            wanted += [peer["podSelector"] for peer in peers
                       if "podSelector" in peer and "namespaceSelector" not in peer
                       and component(peer["podSelector"]["matchLabels"]) != "training"]  # fmt: skip
        for selector in wanted:
            assert any(matches(selector, each) for each in labels), (where, selector)


def test_every_pod_is_denied_what_it_is_not_allowed(found: list[Json]) -> None:
    policies = [each for each in found if each["kind"] == "NetworkPolicy"]
    if not policies:
        assert profile("minimal")["networkPolicy"] == {"enabled": False}
        return
    deny = one(policies, "NetworkPolicy", "vitrine-default")["spec"]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in deny
    assert deny["egress"] == [
        {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    ]
    for where, pod in every_pod(found):
        assert matches(deny["podSelector"], pod["metadata"]["labels"]), where


# From whom to which port of whom; both sides must allow it.
FLOWS = [
    ("worker", "model-server", 8001), ("worker", "redis", 6379), ("head", "head-redis", 6379),
    ("ingest", "redis", 6379), ("setup", "redis", 6379), ("neighbors", "redis", 6379),
    ("readings", "redis", 6379), ("readings", "nats", 4222),
    ("training", "redis", 6379), ("training", "model-server", 8000), ("worker", "head", 6379),
    ("publish", "model-server", 8000), ("worker", "nats", 4222), ("ingest", "nats", 4222),
    ("setup", "nats", 4222), ("training", "nats", 4222), ("nats", "nats", 6222),
    ("head", "worker", 10002), ("worker", "worker", 30000), ("worker", "collector", 4318),
    ("ingest", "collector", 4318), ("model-server", "collector", 4318), ("test", "worker", 8000),
    ("loadtest", "worker", 8000), ("loadtest", "loadtest", 5557),
    ("pictures", "model-server", 8001), ("pictures", "redis", 6379),
]  # fmt: skip
NO_FLOWS = [
    ("ingest", "model-server", 8000), ("worker", "model-server", 8000), ("loadtest", "redis", 6379),
    ("model-server", "redis", 6379), ("ingest", "head", 8265), ("loadtest", "head", 8265),
    ("test", "redis", 6379), ("redis", "worker", 8000), ("publish", "redis", 6379),
    ("removal", "redis", 6379), ("removal", "head", 8265),
    ("readings", "model-server", 8000), ("readings", "worker", 8000),
    ("model-server", "nats", 4222), ("loadtest", "nats", 4222), ("publish", "nats", 4222),
    ("pictures", "model-server", 8000), ("pictures", "worker", 8000), ("pictures", "nats", 4222),
    ("worker", "nats", 6222), ("worker", "nats", 8222), ("nats", "redis", 6379),
    # Ray's state is out of reach of whatever fills the log.
    ("head", "redis", 6379), ("worker", "head-redis", 6379), ("ingest", "head-redis", 6379),
]  # fmt: skip
WHOLE: Json = {
    "demo": {"data": "grocery"},
    "training": {"enabled": True},
    "tracing": {"enabled": True},
    "loadtest": {"enabled": True},
    "pictures": {"enabled": True, "settings": {"fetch": {"hosts": ["cdn.example.com"]}}},
    "nats": {"enabled": True, "bundled": {"replicas": 3}},
    "rules": {
        "experiments": [{"key": "one", "status": "running", "arms": [{"key": "a"}, {"key": "b"}]}]
    },
    # Whom of the cluster's others the policies let in is not asked here.
    "networkPolicy": {
        name: [{"ipBlock": {"cidr": "192.0.2.0/24"}}] for name in ("clients", "monitoring")
    },
}


@pytest.fixture(scope="module")
def whole() -> list[Json]:
    return render(WHOLE)


def allowed(found: list[Json], source: str, target: str, port: int) -> bool:
    """Whether the policies let `source` reach `port` of `target`."""
    labels = {
        component(pod["metadata"]["labels"]): pod["metadata"]["labels"]
        for _, pod in every_pod(found)
    }
    ways = (("egress", "to", source, target), ("ingress", "from", target, source))
    return all(
        any(
            opens(rule, peers, labels[other], port)
            for policy in found
            if policy["kind"] == "NetworkPolicy"
            and matches(policy["spec"]["podSelector"], labels[own])
            for rule in policy["spec"].get(way, [])
        )
        for way, peers, own, other in ways
    )


def opens(rule: Json, peers: str, labels: Json, port: int) -> bool:
    """Whether a rule is about pods with `labels` of the same namespace, and `port`."""
    if "ports" in rule and port not in {each["port"] for each in rule["ports"]}:
        return False
    if peers not in rule:
        return True
    return any(
        matches(peer["podSelector"], labels) for peer in rule[peers] if "podSelector" in peer
    )


@pytest.mark.parametrize(("source", "target", "port"), FLOWS)
def test_parts_that_need_each_other_reach_each_other(
    whole: list[Json], source: str, target: str, port: int
) -> None:
    assert allowed(whole, source, target, port)


@pytest.mark.parametrize(("source", "target", "port"), NO_FLOWS)
def test_parts_that_need_not_reach_each_other_cannot(
    whole: list[Json], source: str, target: str, port: int
) -> None:
    assert not allowed(whole, source, target, port)


def test_the_way_in_is_every_node_that_answers_of_whatever_cluster() -> None:
    values = {
        "networkPolicy": {"clients": [{"namespaceSelector": {}}]},
        "ingress": {"enabled": True},
        "httpRoute": {"enabled": True, "gateway": {"name": "public"}},
    }
    found = render(values)
    (path,) = one(found, "Ingress")["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": "vitrine", "port": {"number": 8000}}
    (rule,) = one(found, "HTTPRoute")["spec"]["rules"]
    assert rule["backendRefs"] == [{"name": "vitrine", "port": 8000}]
    service = one(found, "Service", "vitrine")["spec"]
    assert not [name for name in service["selector"] if name.startswith("ray.io/")]
    ((worker),) = (pod for where, pod in every_pod(found) if "workerGroupSpecs" in where)
    assert service["selector"].items() <= worker["metadata"]["labels"].items()
    (probe,) = (
        each["readinessProbe"]["httpGet"] for each in containers(worker)
        if "readinessProbe" in each
    )  # fmt: skip
    assert probe["port"] == service["ports"][0]["targetPort"]


@pytest.mark.parametrize(
    "way",
    [
        {"ingress": {"enabled": True}},
        {"httpRoute": {"enabled": True, "gateway": {"name": "public"}}},
        {"service": {"type": "LoadBalancer"}},
        {"service": {"type": "NodePort"}},
    ],
    ids=str,
)
def test_who_comes_from_outside_is_asked_for(way: Json) -> None:
    with pytest.raises(RefusedError, match=r"networkPolicy\.clients is needed with"):
        render(way)
    render({**way, "networkPolicy": {"clients": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}})
    render({**way, "networkPolicy": {"enabled": False}})


def test_the_ports_of_another_distribution_are_values() -> None:
    found = render({"networkPolicy": {"apiPorts": [16443], "dnsPorts": [5353]}})
    names = one(found, "NetworkPolicy", "vitrine-default")["spec"]["egress"][0]["ports"]
    assert {each["port"] for each in names} == {5353}
    for name in ("vitrine-head", "vitrine-removal"):
        egress = one(found, "NetworkPolicy", name)["spec"]["egress"]
        assert {"ports": [{"port": 16443}]} in egress, name


def test_prometheus_is_sent_to_ports_that_there_are() -> None:
    found = render(profile("ha"))
    ports = {
        component(pod["metadata"]["labels"]): {
            port["name"] for each in containers(pod) for port in each.get("ports", [])
        }
        for _, pod in every_pod(found)
    }
    monitors = [each for each in found if each["kind"] == "PodMonitor"]
    assert len(monitors) == 4
    for monitor in monitors:
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert endpoint["port"] in ports[component(monitor["spec"]["selector"]["matchLabels"])]
        assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"


@pytest.mark.parametrize(
    ("fetch", "cidrs"),
    [
        ({}, []),
        ({"hosts": ["cdn.example.com"]}, ["10.0.0.0/8", "169.254.0.0/16", "fc00::/7"]),
        ({"hosts": ["cdn.example.com"], "private": True}, []),
    ],
)
def test_pictures_are_fetched_from_no_private_network_unless_they_may(
    fetch: Json, cidrs: list[str]
) -> None:
    found = render({"pictures": {"enabled": True, "settings": {"fetch": fetch}, "ports": [8443]}})
    rules = one(found, "NetworkPolicy", "vitrine-pictures")["spec"]["egress"]
    outside = [rule for rule in rules if any("ipBlock" in peer for peer in rule.get("to", []))]
    assert len(outside) == len(fetch.get("hosts", []))
    for rule in outside:
        assert rule["ports"] == [{"port": 8443}]
        excepted = [cidr for peer in rule["to"] for cidr in peer["ipBlock"].get("except", [])]
        assert {*cidrs} <= {*excepted}
        assert bool(excepted) == bool(cidrs)
