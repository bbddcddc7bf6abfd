"""What the cluster suite makes of nodes and replicas that it watches."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from loadtests.e2e import growth
from loadtests.e2e.nodes import Sample, Timeline, Watch
from loadtests.e2e.report import plot_growth
from loadtests.e2e.scenario import Result
from loadtests.e2e.shop import Shop


def sample(at_s: float, replicas: int = 1, **counts: int) -> Sample:
    same = {"Ingress": replicas, "Ranker": 1}
    of_nodes = {"holding": 1, "asked": 1, "made": 1, "started": 1, "ready": 1, **counts}
    return Sample(at_s, "a", same, same, **of_nodes)


def pod(name: str, cluster: str, runs: bool) -> dict[str, Any]:
    state: dict[str, Any] = {"running": {}} if runs else {"waiting": {}}
    return {
        "metadata": {"name": name, "labels": {"ray.io/cluster": cluster}},
        "status": {
            "containerStatuses": [{"name": "ray-worker", "state": state}],
            "conditions": [{"type": "Ready", "status": str(runs)}],
        },
    }


def test_moments_are_told_from_their_mark_and_one_that_never_came_is_a_bar_missed() -> None:
    seen = [sample(99.0, 2, asked=2), sample(101.0), sample(104.0, 2), sample(109.0, 2, asked=2)]
    result = Result("growth", timeline=Timeline(seen, {"the crowd comes": 100.0}))
    growth.tell(result, "the crowd comes", growth._UP[:3])
    assert result.facts == {
        "Serve wants more replicas, s": 4, "Ray asks for a node, s": 9, "its pod is made, s": None,
    }  # fmt: skip
    assert result.missed == ["not seen: its pod is made"]


def test_without_its_mark_nothing_is_told() -> None:
    result = Result("growth", timeline=Timeline([sample(1.0)]))
    growth.tell(result, "the crowd goes", growth._DOWN)
    assert (result.facts, result.missed) == ({}, [])


def test_a_sample_is_of_the_active_cluster_alone() -> None:
    watch = Watch(cast(Shop, SimpleNamespace()))
    group = {"minReplicas": 1, "replicas": 2}
    watch._clusters["a"] = {"spec": {"workerGroupSpecs": [group]}}
    watch._pods |= {"1": pod("1", "a", True), "2": pod("2", "a", False), "3": pod("3", "b", True)}
    told = {
        "Ingress": {"target": 2, "running": ["x", "y"]}, "Ranker": {"target": 1, "running": ["x"]},
    }  # fmt: skip
    now = watch._sample("a", told)
    assert (now.asked, now.made, now.started, now.ready, now.holding) == (2, 2, 1, 1, 2)
    assert (now.targets, now.running) == ({"Ingress": 2, "Ranker": 1}, {"Ingress": 2, "Ranker": 1})


def test_a_growth_is_drawn(tmp_path: Path) -> None:
    seen = [sample(100.0 + second, 1 + (second > 5)) for second in range(20)]
    lines = [(100 + second, {"worst_ms": 9, "counts": {"model": 3}}) for second in range(20)]
    timeline = Timeline(seen, {"the crowd comes": 103.0, "the crowd goes": 110.0}, lines)
    plot_growth(timeline, lines, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000
