"""Helm and Kubernetes take every profile; what is optional is off until it is asked for."""

import tarfile
from pathlib import Path

import pytest

from helm.tools.paths import CHART
from helm.tools.rendering import RefusedError, helm
from tests.support.chart.kube_schemas import custom, errors
from tests.support.chart.rendering import (
    APIS,
    PROFILES,
    Json,
    one,
    profile,
    render,
)


@pytest.mark.parametrize("name", PROFILES)
def test_helm_has_no_complaint_about_a_profile(name: str) -> None:
    said = helm("lint", "--strict", str(CHART), "--values", str(CHART / "ci" / f"{name}.yaml"))
    assert "0 chart(s) failed" in said


@pytest.mark.parametrize("name", PROFILES)
def test_kubernetes_takes_every_resource_of_a_profile(name: str) -> None:
    found = [each for each in render(profile(name)) if not custom(each)]
    assert len(found) > 10
    for document in found:
        assert errors(document) == [], (document["kind"], document["metadata"]["name"])


@pytest.mark.shared
@pytest.mark.parametrize("name", PROFILES)
def test_the_operators_take_every_custom_resource_of_a_profile(name: str) -> None:
    found = [each for each in render(profile(name)) if custom(each)]
    assert "RayService" in {each["kind"] for each in found}
    for document in found:
        assert errors(document) == [], (document["kind"], document["metadata"]["name"])


def test_a_field_that_kubernetes_does_not_know_is_found(default: list[Json]) -> None:
    ingest = one(default, "Deployment", "vitrine-ingest")
    wrong = {**ingest, "spec": {**ingest["spec"], "replica": 2}}
    assert any("replica" in each for each in errors(wrong))


@pytest.mark.shared
def test_a_field_that_no_operator_knows_is_found(default: list[Json]) -> None:
    service = one(default, "RayService")
    spec = {**service["spec"], "excludeHeadFromServeSvc": True}
    assert any("excludeHeadFromServeSvc" in each for each in errors({**service, "spec": spec}))


def test_a_profile_uses_every_kind_that_the_chart_has() -> None:
    kinds = {each["kind"] for name in PROFILES for each in render(profile(name))}
    assert {
        "RayService", "Deployment", "StatefulSet", "Job", "CronJob", "Service", "Role",
        "RoleBinding",
        "ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount", "NetworkPolicy",
        "PodDisruptionBudget", "Ingress", "HTTPRoute", "ScaledObject", "HorizontalPodAutoscaler",
        "PodMonitor", "PrometheusRule", "Pod",
    } == kinds  # fmt: skip


CLIENTS: Json = {"networkPolicy": {"clients": [{"namespaceSelector": {}}]}}
OPTIONS: dict[str, tuple[Json, set[tuple[str, str]]]] = {
    "ingress": ({"ingress": {"enabled": True}, **CLIENTS}, {("Ingress", "vitrine")}),
    "route": (
        {"httpRoute": {"enabled": True, "gateway": {"name": "public"}}, **CLIENTS},
        {("HTTPRoute", "vitrine")},
    ),
    "pod monitors": (
        {"monitoring": {"podMonitors": {"enabled": True}}},
        {("PodMonitor", f"vitrine-{name}") for name in ("worker", "ingest", "model-server")},
    ),
    "alerts": (
        {"monitoring": {"alerts": {"enabled": True}}},
        {("PrometheusRule", "vitrine-alerts")},
    ),
    "dashboards": (
        {"monitoring": {"dashboards": {"enabled": True}}},
        {("ConfigMap", f"vitrine-dashboard-{path.stem}")
         for path in (CHART / "files" / "dashboards").glob("*.json")},
    ),
    "tracing": (
        {"tracing": {"enabled": True}},
        {(kind, "vitrine-collector")
         for kind in ("ConfigMap", "Service", "Deployment", "NetworkPolicy")},
    ),
    "tracing to a collector of one's own": (
        {"tracing": {"enabled": True, "endpoint": "http://collector:4318/v1/traces"}},
        set(),
    ),
    "training": (
        {"training": {"enabled": True}},
        {("CronJob", "vitrine-training"), ("NetworkPolicy", "vitrine-training")},
    ),
    "training of answers": (
        {"training": {"answers": {"enabled": True}}},
        {("CronJob", "vitrine-training-answers"), ("NetworkPolicy", "vitrine-training")},
    ),
    "load test": (
        {"loadtest": {"enabled": True}, "demo": {"data": "grocery"}},
        {("Service", "vitrine-loadtest"), ("NetworkPolicy", "vitrine-loadtest"),
         ("Deployment", "vitrine-loadtest-master"), ("Deployment", "vitrine-loadtest-worker")},
    ),
    "pictures": (
        {"pictures": {"enabled": True}},
        {("Deployment", "vitrine-pictures"), ("NetworkPolicy", "vitrine-pictures")},
    ),
    "keda": (
        {"modelServer": {"autoscaling": {"kind": "keda"}}},
        {("ScaledObject", "vitrine-model-server")},
    ),
    "hpa": (
        {"modelServer": {"autoscaling": {"kind": "hpa"}}},
        {("HorizontalPodAutoscaler", "vitrine-model-server")},
    ),
    "several of each": (
        {"modelServer": {"replicas": 2}, "serving": {"workers": {"minReplicas": 2}}},
        {("PodDisruptionBudget", f"vitrine-{name}") for name in ("model-server", "worker")},
    ),
}  # fmt: skip


def names(found: list[Json]) -> set[tuple[str, str]]:
    """Kind and name of each."""
    return {(each["kind"], each["metadata"]["name"]) for each in found}


@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_optional_is_not_there_until_it_is_asked_for(
    option: str, default: list[Json]
) -> None:
    values, added = OPTIONS[option]
    assert not added & names(default)
    assert names(render(values)) - names(default) == added


REMOVED: dict[str, tuple[Json, set[tuple[str, str]]]] = {
    "network policies": (
        {"networkPolicy": {"enabled": False}},
        {("NetworkPolicy", f"vitrine-{name}") for name in (
            "default", "worker", "head", "model-server", "ingest", "jobs", "publish", "removal",
            "test", "redis", "head-redis")},
    ),
    "neighbors": ({"neighbors": {"enabled": False}}, {("CronJob", "vitrine-neighbors")}),
    "readings": (
        {"experiments": {"readings": {"enabled": False}}}, {("CronJob", "vitrine-readings")}
    ),
    "a claim of one's own": (
        {"sharedVolume": {"existingClaim": "mine"}},
        {("PersistentVolumeClaim", "vitrine-shared")},
    ),
    "a Redis of one's own": (
        {"redis": {"bundled": {"enabled": False}, "external": {"host": "redis.example.com"},
                   "auth": {"existingSecret": "mine"}}},
        {(kind, "vitrine-redis")
         for kind in ("StatefulSet", "Service", "ConfigMap", "Secret", "NetworkPolicy")},
    ),
    "Ray's state with the rest": (
        {"redis": {"head": {"enabled": False}}},
        {(kind, "vitrine-head-redis")
         for kind in ("StatefulSet", "Service", "ConfigMap", "NetworkPolicy")},
    ),
    "keys of one's own": (
        {"auth": {"existingSecret": "mine"}, "pseudonyms": {"existingSecret": "mine"}},
        {("Secret", f"vitrine-{name}") for name in ("storefront", "keys", "pseudonym")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("option", REMOVED)
def test_what_is_replaced_is_not_installed(option: str, default: list[Json]) -> None:
    values, removed = REMOVED[option]
    assert removed <= names(default)
    assert names(default) - names(render(values)) == removed


@pytest.mark.parametrize(
    ("missing", "values", "said"),
    [
        ("ray.io/v1", {}, "helm install kuberay-operator kuberay-operator"),
        (
            "keda.sh/v1alpha1",
            {"modelServer": {"autoscaling": {"kind": "keda"}}},
            "modelServer.autoscaling.kind: keda needs keda.sh/v1alpha1",
        ),
        (
            "monitoring.coreos.com/v1",
            {"monitoring": {"podMonitors": {"enabled": True}}},
            "monitoring.podMonitors.enabled needs monitoring.coreos.com/v1",
        ),
        (
            "monitoring.coreos.com/v1",
            {"monitoring": {"alerts": {"enabled": True}}},
            "monitoring.alerts.enabled needs monitoring.coreos.com/v1",
        ),
        (
            "gateway.networking.k8s.io/v1",
            {"httpRoute": {"enabled": True, "gateway": {"name": "public"}}, **CLIENTS},
            "httpRoute.enabled needs gateway.networking.k8s.io/v1",
        ),
    ],
)
def test_a_cluster_without_an_operator_is_told_which_in_one_line(
    missing: str, values: Json, said: str
) -> None:
    apis = tuple(api for api in APIS if api != missing)
    with pytest.raises(RefusedError) as refused:
        render(values, apis=apis)
    lines = [line for line in str(refused.value).splitlines() if said in line]
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"redis": {"bundled": {"enabled": False}, "auth": {"enabled": False}}},
         "redis.external.host"),
        ({"redis": {"bundled": {"enabled": False}, "external": {"host": "redis"}}},
         "redis.auth.existingSecret"),
        ({"serving": {"workers": {"minReplicas": 9}}}, "serving.workers.minReplicas"),
        ({"serving": {"settings": {"deployments": {"ranker": {"min_replicas": 9}}}}},
         "serving.settings.deployments.ranker"),
        ({"modelServer": {"autoscaling": {"minReplicas": 9}}},
         "modelServer.autoscaling.minReplicas"),
        ({"modelServer": {"rollout": {"maxSurge": 0}}}, "modelServer.rollout"),
        ({"httpRoute": {"enabled": True}, **CLIENTS}, "httpRoute.gateway.name"),
        ({"loadtest": {"enabled": True}}, "loadtest.enabled"),
        ({"loadtest": {"enabled": True}, "demo": {"data": "grocery"},
          "auth": {"existingSecret": "mine"}}, "loadtest.keySecret"),
        ({"serving": {"upgrade": {"strategy": "NewClusterWithIncrementalUpgrade"}}},
         "serving.upgrade.incremental.gatewayClassName"),
        ({"serving": {"upgrade": {"strategy": "NewClusterWithIncrementalUpgrade",
                                  "incremental": {"gatewayClassName": "istio"}}},
          "ingress": {"enabled": True}, **CLIENTS}, "ingress.enabled"),
    ],
)  # fmt: skip
def test_values_that_do_not_go_together_are_refused_by_name(values: Json, said: str) -> None:
    with pytest.raises(RefusedError, match=said.replace(".", r"\.")):
        render(values)


def test_what_was_made_for_shoppers_is_kept_when_the_release_goes(default: list[Json]) -> None:
    kept = {
        (each["kind"], each["metadata"]["name"])
        for each in default
        if each["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
    }
    assert kept == {
        ("PersistentVolumeClaim", "vitrine-shared"),
        ("Secret", "vitrine-pseudonym"),
        ("Secret", "vitrine-storefront"),
    }


def test_the_package_holds_what_is_installed_and_no_program(tmp_path: Path) -> None:
    helm("package", str(CHART), "--destination", str(tmp_path))
    (package,) = tmp_path.glob("*.tgz")
    with tarfile.open(package) as files:
        inside = {name.removeprefix("vitrine/") for name in files.getnames()}
    assert {"values.schema.json", "files/alerts.yaml", "templates/NOTES.txt"} <= inside
    assert not any(name.endswith(".py") or name.startswith("ci/") for name in inside)


def test_a_release_of_another_name_collides_with_nothing() -> None:
    other = names(render({"fullnameOverride": "toys"}))
    assert not other & names(render({}))
