"""What restarts what, and what makes more of it."""

from typing import Any

import pytest
import yaml

from tests.support.chart.rendering import Json, every_pod, merged, one, profile, render
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


def test_a_new_chart_without_another_image_restarts_no_pod() -> None:
    text = yaml.safe_dump([pod for _, pod in every_pod(render(profile("ha"), "--skip-tests"))])
    assert "helm.sh/chart" not in text
    assert "app.kubernetes.io/version" not in text


def test_a_setting_is_applied_in_place_and_a_rule_by_new_nodes() -> None:
    def cluster(values: Json) -> Any:
        return one(render(values), "RayService")["spec"]["rayClusterConfig"]

    same = cluster({"serving": {"settings": {"pipeline": {"default_budget_s": 0.3}}}})
    assert same == cluster({})
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
