"""What restarts what, and what makes more of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.serve._private import constants

from helm.tools.rendering import RefusedError
from tests.support.chart.rendering import (
    PROFILES,
    Json,
    every_pod,
    merged,
    one,
    profile,
    render,
)
from tests.support.chart.series import TARGET_LABELS, declared, selectors

CHANGES: list[Json] = [
    {"images": {"serving": {"tag": "0.2.0"}}},
    {"serving": {"settings": {"pipeline": {"default_budget_s": 0.3}}}},
    {"serving": {"workers": {"maxReplicas": 9}}},
    {"rules": {"cold_start": {"weights": {"popularity": 2}}}},
    {"ingest": {"settings": {"batch_events": 10}}},
    {"auth": {"existingSecret": "mine"}},
    {"redis": {"bundled": {"maxMemory": "300mb"}}},
    {"networkPolicy": {"enabled": False}},
]


def model_server(found: list[Json]) -> Json:
    """What decides whether Triton is restarted."""
    spec: Json = one(found, "Deployment", "vitrine-model-server")["spec"]
    return spec


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_what_changes_the_application_leaves_triton_alone(change: Json) -> None:
    before, after = render({}), render(change)
    assert before != after
    assert model_server(before) == model_server(after)


def test_from_where_pictures_are_fetched_restarts_their_worker_and_not_triton() -> None:
    def shown(*hosts: str) -> list[Json]:
        return render({"pictures": {"enabled": True, "settings": {"fetch": {"hosts": hosts}}}})

    before, after = shown(), shown("cdn.example.com")
    assert model_server(before) == model_server(after)
    workers = [one(found, "Deployment", "vitrine-pictures") for found in (before, after)]
    assert workers[0]["spec"]["template"] != workers[1]["spec"]["template"]


def test_a_new_chart_without_another_image_restarts_no_pod() -> None:
    text = yaml.safe_dump([pod for _, pod in every_pod(render(profile("ha"), "--skip-tests"))])
    assert "helm.sh/chart" not in text
    assert "app.kubernetes.io/version" not in text


def test_settings_and_rules_come_with_new_nodes_and_how_deployments_scale_in_place() -> None:
    """In place, Serve ends the only replica of a deployment before the next one answers."""

    def cluster(values: Json) -> Any:
        return one(render(values), "RayService")["spec"]["rayClusterConfig"]

    def with_settings(**settings: Json) -> Any:
        return cluster({"serving": {"settings": settings}})

    assert with_settings(deployments={"ingress": {"max_replicas": 9}}) == cluster({})
    assert with_settings(deployments={"ingress": {"num_cpus": 0.7}}) != cluster({})
    assert with_settings(pipeline={"default_budget_s": 0.3}) != cluster({})
    assert cluster({"rules": {"diversity": {"depth": 5}}}) != cluster({})


def test_a_gpu_is_rolled_without_a_second_one() -> None:
    deployment = model_server(render(profile("gpu")))
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    (triton,) = deployment["template"]["spec"]["containers"]
    assert triton["resources"]["limits"]["nvidia.com/gpu"] == 1
    (publish,) = deployment["template"]["spec"]["initContainers"]
    assert "nvidia.com/gpu" not in publish["resources"]["limits"]
    assert "--precision=float16" in publish["command"]
    for where, pod in every_pod(render(profile("gpu"))):
        if "model-server" not in where:
            assert "nvidia.com/gpu" not in str(pod), where


def test_a_cpu_is_rolled_without_a_gap() -> None:
    deployment = model_server(render({}))
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert deployment["replicas"] == 1


def test_ingest_folds_until_the_next_one_is_ready() -> None:
    deployment = one(render({}), "Deployment", "vitrine-ingest")["spec"]
    assert deployment["strategy"] == {
        "type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }  # fmt: skip
    assert deployment["replicas"] == 1
    (ingest,) = deployment["template"]["spec"]["containers"]
    # Its own port: it answers only when the stores are open.
    assert ingest["readinessProbe"]["httpGet"] == {"path": "/metrics", "port": "metrics"}
    assert ingest["ports"] == [{"name": "metrics", "containerPort": int(ingest["command"][-1])}]


@pytest.mark.parametrize("name", PROFILES)
def test_nothing_is_ended_before_its_successor_is_there(name: str) -> None:
    deployments = [each for each in render(profile(name)) if each["kind"] == "Deployment"]
    assert not [
        each for each in deployments if each["spec"].get("strategy") == {"type": "Recreate"}
    ]


@pytest.mark.parametrize("kind", ["keda", "hpa"])
def test_whoever_scales_the_model_server_is_alone_in_it(kind: str) -> None:
    values = {"modelServer": {"autoscaling": {"kind": kind}}}
    assert "replicas" not in model_server(render(values))


def test_the_model_server_is_scaled_by_series_that_there_are() -> None:
    values = {"modelServer": {"autoscaling": {"kind": "keda"}}}
    triggers = one(render(values), "ScaledObject")["spec"]["triggers"]
    asked = [each for trigger in triggers for each in selectors(trigger["metadata"]["query"])]
    assert {each.name for each in asked} == {
        "vitrine_queued_rows", "nv_inference_compute_infer_duration_us",
    }  # fmt: skip
    for selector in asked:
        known = declared()[selector.name] | TARGET_LABELS
        assert {label for label, _, _ in selector.matchers} <= known
        assert ("namespace", "=", "default") in selector.matchers
    hpa = one(render(merged(values, {"modelServer": {"autoscaling": {"kind": "hpa"}}})),
              "HorizontalPodAutoscaler")  # fmt: skip
    (metric,) = hpa["spec"]["metrics"]
    assert metric["external"]["metric"]["name"] in declared()


def test_a_change_of_how_many_nodes_there_may_be_is_seen() -> None:
    """KubeRay leaves `minReplicas` and `maxReplicas` out of what it compares."""

    def compared(values: Json) -> Any:
        (group,) = one(render(values), "RayService")["spec"]["rayClusterConfig"]["workerGroupSpecs"]
        return {name: value for name, value in group.items() if not name.endswith("Replicas")}

    for name in ("minReplicas", "maxReplicas"):
        assert compared({"serving": {"workers": {name: 2}}}) != compared({})


AMOUNTS = {
    "1000m": "1", "1.5": "1500m", "0.25": "250m", "2": "2", "1024Mi": "1Gi", "1536Mi": "1536Mi",
    "1.5Gi": "1536Mi", "2048Ki": "2Mi", "2000M": "2G", "500M": "500M", "4096": "4096",
}  # fmt: skip


def test_kuberay_writes_back_what_the_chart_gave_it() -> None:
    """What its Go types default or shorten would be its own for the next server-side apply."""
    memory = {name for name in AMOUNTS if "i" in name or name[-1] in "MG"}
    for given, written in AMOUNTS.items():
        kind = "memory" if given in memory else "cpu"
        large = {"memory": "99Gi", "cpu": "9k"}[kind]
        resources = {"requests": {kind: given}, "limits": {kind: large}}
        service = one(render({"serving": {"head": {"resources": resources}}}), "RayService")
        head = service["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]
        assert head["containers"][0]["resources"]["requests"][kind] == written


@pytest.mark.parametrize("name", PROFILES)
def test_nothing_is_given_that_kuberay_would_leave_out(name: str) -> None:
    service = one(render(profile(name)), "RayService")["spec"]["rayClusterConfig"]
    assert [group["scaleStrategy"] for group in service["workerGroupSpecs"]] == [{}]
    # Pointers and structures, which are written also when they are empty.
    written = {
        "allowPrivilegeEscalation", "automountServiceAccountToken", "emptyDir",
        "enableServiceLinks", "minReplicas", "scaleStrategy",
    }  # fmt: skip
    for path, value in empty(service):
        assert path[-1] in written, (path, value)


def empty(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What Go leaves out of JSON by `omitempty`, with where it stands."""
    if node in ({}, [], "", 0, False, None):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from empty(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from empty(value, (*path, str(index)))


def test_a_head_that_would_end_its_own_controller_is_refused() -> None:
    small = {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    with pytest.raises(RefusedError, match=r"serving\.head\.resources\.limits\.memory: 1Gi"):
        render({"serving": {"head": {"resources": small}}})


@pytest.mark.parametrize("nodes", [1, 2])
def test_replicas_are_brought_together_only_where_one_node_is_enough(nodes: int) -> None:
    """Packed, two of a deployment would lie on one node, and its loss would be that of both."""
    values = {
        "serving": {"workers": {"minReplicas": nodes}, "autoscaler": {"idleTimeoutSeconds": 77}}
    }
    cluster = one(render(values), "RayService")["spec"]["rayClusterConfig"]
    (head, *_) = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    given = {each["name"]: each.get("value") for each in head["env"]}
    wanted = {
        "RAY_SERVE_USE_PACK_SCHEDULING_STRATEGY": "1",
        "RAY_SERVE_NODE_COMPACTION_DELAY_S": "77",
    }
    assert {name: given.get(name) for name in wanted} == (
        wanted if nodes == 1 else dict.fromkeys(wanted)
    )
    known = Path(constants.__file__).read_text()
    assert all(f'"{name}"' in known for name in wanted)
