"""What holds for every pod of every profile: least rights, limits, probes, known images."""

import re
from collections import Counter
from collections.abc import Callable
from math import ceil
from typing import Any

from helm.tools.quantities import amount, requests
from serving.cluster.leave import ARRIVAL_S, EMPTY_S, NOTICE_S, SETTLE_S
from tests.support.chart.rendering import (
    Json,
    component,
    containers,
    every_pod,
    one,
    profile,
    render,
)

# What a kind cluster of one node and the KubeRay operator ask for themselves.
CLUSTERS_OWN = Counter({"cpu": 0.95 + 0.1, "memory": (290 + 512) * 2**20})


def runs_on(pod: Json) -> bool:
    """Whether the pod has no end of its own."""
    return "restartPolicy" not in pod["spec"]


def test_no_pod_has_more_rights_than_it_needs(found: list[Json]) -> None:
    for where, pod in every_pod(found):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, where
        assert spec["enableServiceLinks"] is False, where
        assert spec["securityContext"]["runAsNonRoot"] is True, where
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), where
        assert not any("hostPath" in volume for volume in spec.get("volumes", [])), where
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, (where, container["name"])


def test_only_rays_autoscaler_and_the_removal_have_a_token(found: list[Json]) -> None:
    cluster = one(found, "RayService")["spec"]["rayClusterConfig"]
    assert "token" in {mount["name"] for mount in cluster["autoscalerOptions"]["volumeMounts"]}
    for where, pod in every_pod(found):
        for container in containers(pod):
            mounts = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert ("token" in mounts) == (container["name"] == "removal"), (where, container)


def test_the_removal_may_remove_its_own_service_and_nothing_else(found: list[Json]) -> None:
    assert one(found, "Role")["rules"] == [
        {
            "apiGroups": ["ray.io"],
            "resources": ["rayservices"],
            "resourceNames": [one(found, "RayService")["metadata"]["name"]],
            "verbs": ["get", "delete"],
        },
        {"apiGroups": ["ray.io"], "resources": ["rayclusters"], "verbs": ["list"]},
    ]


def test_every_container_says_what_it_needs_and_what_it_may_take(found: list[Json]) -> None:
    for where, pod in every_pod(found):
        for container in containers(pod):
            resources = container["resources"]
            for name in ("cpu", "memory"):
                asked, most = resources["requests"][name], resources["limits"][name]
                assert 0 < amount(asked) <= amount(most), (where, container["name"], name)


def test_ray_counts_on_what_a_worker_surely_gets(found: list[Json]) -> None:
    (group,) = one(found, "RayService")["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    resources = group["template"]["spec"]["containers"][0]["resources"]
    assert int(group["rayStartParams"]["num-cpus"]) == ceil(amount(resources["requests"]["cpu"]))
    assert resources["requests"]["memory"] == resources["limits"]["memory"]


def test_no_image_is_whatever_is_newest(found: list[Json]) -> None:
    for where, pod in every_pod(found):
        for container in containers(pod):
            assert re.search(r"(:[\w.-]+|@sha256:[0-9a-f]{64})$", container["image"]), where
            assert not container["image"].endswith(":latest"), where


def test_what_runs_on_is_looked_after(found: list[Json]) -> None:
    for where, pod in every_pod(found):
        for container in pod["spec"]["containers"] if runs_on(pod) else []:
            if "--worker" in container.get("command", []):
                continue  # a generator of load listens to nobody
            assert "livenessProbe" in container, (where, container["name"])
            if container["name"] != "metrics":  # see the template
                assert "readinessProbe" in container, (where, container["name"])


def test_what_answers_goes_on_answering_until_it_is_let_go_of(found: list[Json]) -> None:
    longest: dict[str, Callable[[list[str]], float]] = {
        "triton": lambda command: int(command[1]),  # sleep
        "ray-worker": lambda _: NOTICE_S + ARRIVAL_S + SETTLE_S + EMPTY_S,
    }
    for name, seconds in longest.items():
        ((container, spec),) = (
            (container, pod["spec"])
            for _, pod in every_pod(found)
            for container in containers(pod)
            if container["name"] == name
        )
        command = container["lifecycle"]["preStop"]["exec"]["command"]
        assert seconds(command) + 5 < spec["terminationGracePeriodSeconds"], name


def test_whatever_a_part_names_is_there() -> None:
    found = render(profile("default"))
    there = {(each["kind"], each["metadata"]["name"]) for each in found}
    there.add(("ConfigMap", "kube-root-ca.crt"))  # in every namespace
    for where, pod in every_pod(found):
        assert ("ServiceAccount", pod["spec"]["serviceAccountName"]) in there, where
        for kind, name in named(pod["spec"]):
            assert (kind, name) in there, where


def named(node: Any) -> set[tuple[str, str]]:
    """The ConfigMaps, Secrets and claims that a pod names."""
    names = set()
    if isinstance(node, list):
        return {each for value in node for each in named(value)}
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("configMap", "secret", "secretKeyRef"):
                kind = "ConfigMap" if key == "configMap" else "Secret"
                names.add((kind, value["name"]))
            elif key == "persistentVolumeClaim":
                names.add(("PersistentVolumeClaim", value["claimName"]))
            else:
                names |= named(value)
    return names


def test_every_mount_has_its_volume_and_every_volume_a_mount(found: list[Json]) -> None:
    for where, pod in every_pod(found):
        volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
        volumes |= {"data"} if where.startswith("StatefulSet") else set()
        mounts = {
            mount["name"] for each in containers(pod) for mount in each.get("volumeMounts", [])
        }
        assert mounts <= volumes, where
        assert volumes - mounts <= {"token"}, where  # the autoscaler's; see the test of it


Needs = Counter[str]  # cores and bytes


def asked_for(values: str) -> tuple[Needs, Needs, set[str]]:
    """What a profile asks for, set-up included; what a second Ray cluster adds; the parts."""
    found = render(profile(values), "--skip-tests")
    cluster = one(found, "RayService")["spec"]["rayClusterConfig"]
    scaler = cluster["autoscalerOptions"]["resources"]["requests"]
    parts = {"autoscaler": Counter({name: amount(scaler[name]) for name in ("cpu", "memory")})}
    hooked = [each for each in found if "helm.sh/hook" not in str(each["metadata"])]
    for _, pod in every_pod([each for each in hooked if each["kind"] != "CronJob"]):
        parts[component(pod["metadata"]["labels"])] = Counter(requests(pod))
    second = parts["autoscaler"] + parts["head"] + parts["worker"]
    return sum(parts.values(), Counter()), second, {*parts}


def test_an_upgrade_of_the_default_profile_fits_a_cluster_of_4_cpus_and_8_gb() -> None:
    total, second, parts = asked_for("default")
    assert parts == {
        "head", "autoscaler", "head-redis", "worker", "model-server", "redis", "ingest", "setup",
    }  # fmt: skip
    needs = CLUSTERS_OWN + total + second
    assert needs["cpu"] <= 4
    assert needs["memory"] <= 8e9


def test_the_minimal_profile_asks_for_one_cpu_and_three_and_a_half_gib() -> None:
    total, _, _ = asked_for("minimal")
    assert total["cpu"] <= 1.0
    assert total["memory"] <= 3.5 * 2**30


def test_images_come_from_where_they_are_mirrored_and_by_digest_where_given() -> None:
    digest = "sha256:" + "a" * 64
    images = {"registry": "registry.example.com/mirror", "serving": {"digest": digest}}
    for where, pod in every_pod(render({"images": images})):
        for container in containers(pod):
            assert container["image"].startswith("registry.example.com/mirror/"), where
            if "/serving" in container["image"]:
                assert container["image"].endswith(f"@{digest}"), where
