"""What `make cluster-status` makes of what Kubernetes says."""

import io
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from helm.tools.status import parts, service_lines, shop_table, warnings, why

Json = dict[str, Any]
NOW = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)


def pod(part: str, ready: bool = True, **status: Any) -> Json:
    return {
        "metadata": {
            "name": f"vitrine-{part}-x",
            "creationTimestamp": "2026-01-01T12:00:00Z",
            "labels": {"app.kubernetes.io/component": part},
        },
        "spec": {"containers": [{"image": "registry.example.com/vitrine/serving:0.1.0"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": part, "restartCount": 2}],
            **status,
        },
    }


def printed(table: object) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_a_part_is_told_with_its_state_image_restarts_and_age() -> None:
    (line,) = (each for each in printed(parts([pod("worker")], NOW)).splitlines() if "-x" in each)
    for said in ("worker", "ready", "serving:0.1.0", "2", "30m00s"):
        assert said in line
    ending = pod("worker")
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T12:29:00Z"
    assert "ending" in printed(parts([ending], NOW))


def test_a_pod_that_waits_says_for_what() -> None:
    image = {"name": "wait", "state": {"waiting": {"reason": "ErrImagePull"}}}
    assert why(pod("worker", ready=False, initContainerStatuses=[image])) == "wait: ErrImagePull"
    killed = {
        "name": "ray-head",
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"reason": "OOMKilled"}},
    }
    said = why(pod("head", ready=False, containerStatuses=[killed]))
    assert said == "ray-head: CrashLoopBackOff; ray-head: OOMKilled"
    nowhere = [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient memory.",
        }
    ]
    assert "Insufficient memory" in why(pod("worker", ready=False, conditions=nowhere))
    assert why(pod("worker")) == ""


def test_the_service_says_what_its_clusters_do() -> None:
    service = {
        "metadata": {"name": "vitrine"},
        "status": {
            "conditions": [{"type": "Ready", "status": "False", "reason": "Initializing"}],
            "activeServiceStatus": {},
            "pendingServiceStatus": {
                "rayClusterName": "vitrine-abc",
                "applicationStatuses": {
                    "vitrine": {"status": "DEPLOY_FAILED", "message": "rules.yaml: no such field"}
                },
            },
        },
    }
    cluster = {
        "metadata": {"name": "vitrine-abc"},
        "status": {"readyWorkerReplicas": 1, "desiredWorkerReplicas": 2},
    }
    assert service_lines(service, [cluster]) == [
        "RayService vitrine: Ready=False (Initializing)",
        "  pending vitrine-abc: vitrine DEPLOY_FAILED rules.yaml: no such field",
        "  cluster vitrine-abc: 1 of 2 workers ready",
    ]
    assert service_lines({"metadata": {"name": "vitrine"}}, []) == ["RayService vitrine: starting"]


def test_the_last_warnings_are_told_in_order() -> None:
    events = [
        {
            "type": kind,
            "lastTimestamp": f"2026-01-01T12:{minute:02d}:00Z",
            "involvedObject": {"kind": "Pod", "name": "p"},
            "reason": f"reason-{minute}",
            "message": "said",
        }
        for minute, kind in [(9, "Warning"), (1, "Warning"), (5, "Normal"), *[
            (minute, "Warning") for minute in range(10, 14)]]
    ]  # fmt: skip
    assert [line.split(": ")[1] for line in warnings(events)] == [
        f"reason-{minute}" for minute in (9, 10, 11, 12, 13)
    ]


def test_the_shop_s_own_status_is_a_row_a_figure() -> None:
    text = printed(shop_table({"model_version": "3", "ingest": {"lag_s": 0.2}}))
    assert "model_version" in text
    assert "ingest.lag_s" in text
