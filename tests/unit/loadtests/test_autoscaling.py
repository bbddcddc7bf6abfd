"""The simulated burst: what goes in comes out, and what is proposed holds it."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from loadtests.autoscaling.burst import Burst, Scenario, simulate
from loadtests.autoscaling.cluster import Nodes, NodeSettings, TritonPods, TritonSettings
from loadtests.autoscaling.costs import Costs, ModelPath
from loadtests.autoscaling.findings import Finding, finding
from loadtests.autoscaling.scenarios import (
    most_ongoing,
    proposal,
    scenarios,
    standing_replicas,
    starting_in,
)
from loadtests.autoscaling.serve import Deployment, Scaling
from serving.models.settings import RankerSettings
from serving.ranking.settings import PipelineSettings
from serving.settings import ReplicaSettings

SHORT = Burst(before_s=5, ramp_s=10, burst_s=35, after_s=10)
WITH_NODES = replace(SHORT, burst_s=200)  # long enough for nodes of 90 s
BY_NAME = {each.name: each for each in scenarios(WITH_NODES)}


@functools.cache
def _found(scenario: Scenario) -> Finding:
    return finding(scenario, simulate(scenario))


def _fixed(ingress: int, ranker: int, pods: int, burst: Burst = SHORT) -> Scenario:
    """No part scales."""
    return Scenario(
        "fixed",
        Scaling(ReplicaSettings(min_replicas=ingress, max_replicas=ingress, num_cpus=1)),
        Scaling(ReplicaSettings(min_replicas=ranker, max_replicas=ranker, num_cpus=1)),
        triton=TritonSettings(min_pods=pods, max_pods=pods),
        nodes=NodeSettings(min_workers=8, max_workers=8),
        burst=burst,
    )


@pytest.mark.parametrize("scenario", scenarios(SHORT), ids=lambda each: each.name)
def test_every_ranking_is_answered_by_the_model_or_by_rules_or_refused(scenario: Scenario) -> None:
    trace = simulate(scenario)
    columns = dict(trace.columns())
    out = columns["model"] + columns["rules"] + columns["refused"]
    inside = np.cumsum(columns["offered"] - out)
    assert columns["offered"].sum() > 0
    np.testing.assert_array_equal(inside, columns["waiting"])
    for name in ("model", "rules", "refused", "waiting"):
        assert (columns[name] >= 0).all()
    assert (columns["late"] <= columns["model"] + columns["rules"]).all()


def test_a_seed_gives_one_run() -> None:
    scenario = proposal(SHORT)
    assert simulate(scenario) == simulate(scenario)
    assert simulate(scenario).offered != simulate(replace(scenario, seed=8)).offered


@pytest.mark.parametrize("part", ["ingress", "ranker", "pods"])
def test_more_of_a_part_never_means_fewer_answers_by_the_model(part: str) -> None:
    missed = []
    for n in (1, 2, 3, 5, 8):
        most = {"ingress": 8, "ranker": 4, "pods": 8} | {part: n}
        trace = simulate(_fixed(most["ingress"], most["ranker"], most["pods"]))
        missed.append(trace.column("rules").sum() + trace.column("refused").sum())
    assert missed == sorted(missed, reverse=True)
    assert missed[0] > missed[-1]


def test_with_enough_of_everything_nothing_falls_back() -> None:
    trace = simulate(_fixed(16, 4, 8))
    for name in ("rules", "refused", "late"):
        assert trace.column(name).sum() == 0


@pytest.mark.parametrize("node_start_s", [0.0, 30.0, 90.0])
def test_what_is_proposed_holds_the_burst_while_nodes_start(node_start_s: float) -> None:
    scenario = starting_in(proposal(WITH_NODES), node_start_s, "proposed")
    found = _found(scenario)
    assert found.held
    assert found.slowest_s <= scenario.pipeline.default_budget_s
    assert found.model_back_s is not None
    assert found.model_back_s <= 60 + node_start_s


def test_the_model_is_back_sooner_where_nodes_are_sooner_there() -> None:
    back_s = []
    for node_start_s in (0.0, 90.0):
        scenario = starting_in(proposal(WITH_NODES), node_start_s, "proposed")
        found = _found(scenario)
        assert found.model_back_s is not None
        back_s.append(found.model_back_s)
    assert back_s[0] + 30 < back_s[1]


def test_serves_defaults_and_ours_do_not_hold_it() -> None:
    proposed = _found(proposal(WITH_NODES))
    for name in ("Serve's defaults", "made for one machine", "the same, num_cpus 1"):
        found = _found(BY_NAME[name])
        assert not found.held
        assert found.rules_share > proposed.rules_share + 0.1
        assert found.refused_share + found.late_share > 0.1


def test_without_standing_replicas_rankings_are_refused() -> None:
    scenario = BY_NAME["proposed, but 2 ingress replicas"]
    assert _found(scenario).refused > 0


def test_replicas_that_reserve_a_tenth_of_a_processor_bring_no_node() -> None:
    found = {
        name: _found(BY_NAME[name]) for name in ("made for one machine", "the same, num_cpus 1")
    }
    assert found["made for one machine"].ingress_most > 4
    assert found["made for one machine"].workers_most == 1
    assert found["the same, num_cpus 1"].workers_most > 1


def test_after_the_burst_all_parts_go_back_and_none_up_again() -> None:
    scenario = starting_in(proposal(replace(SHORT, after_s=700)), 0.0, "proposed")
    found = _found(scenario)
    assert found.ingress_most > scenario.ingress.replicas.min_replicas
    assert found.turns_after == 0
    assert found.back_s is not None
    assert 290 < found.back_s < 690


def test_the_standing_replicas_are_those_that_rules_need() -> None:
    costs = Costs()
    assert standing_replicas(Burst(steady_rate=50), costs) == 6
    assert 6 * 0.85 >= 500 * costs.by_rules_s > 5 * 0.85
    assert most_ongoing(costs, PipelineSettings()) == 50


def test_what_the_model_can_answer_in_time_it_answers_in_time() -> None:
    for rankers in (1, 2, 4):
        for pods in (1, 2, 4, 8):
            path = ModelPath(Costs(), RankerSettings(), rankers, pods)
            assert path.latency_s(0.9 * path.capacity(0.15)) <= 0.15
            assert path.capacity(0.15) >= path.capacity(0.1) > path.capacity(0.008) == 0


def test_serve_scales_by_the_mean_of_its_look_back_after_its_delay() -> None:
    replicas = ReplicaSettings(
        max_replicas=20, target_ongoing_requests=2, upscale_delay_s=5, num_cpus=1
    )
    deployment = Deployment("Ingress", Scaling(replicas, look_back_s=30), 0)
    changed_s = None
    for tick in range(600):
        deployment.advance(tick / 10, 0.0 if tick < 200 else 20.0)
        if changed_s is None and deployment.target > 1:
            changed_s = tick / 10
    # Seen at the first push after the step, and wanted for five seconds.
    assert changed_s is not None
    assert 25 <= changed_s <= 36
    assert deployment.total(60.0) == pytest.approx(20.0)
    assert deployment.target == 10
    assert deployment.pending == deployment.target - deployment.running


def test_serve_stops_what_has_not_started_first() -> None:
    replicas = ReplicaSettings(
        max_replicas=9, target_ongoing_requests=2, upscale_delay_s=0.1, downscale_delay_s=0.1,
        num_cpus=1,
    )  # fmt: skip
    deployment = Deployment("Ingress", Scaling(replicas, look_back_s=12), 1)
    for tick in range(300):
        deployment.advance(tick / 10, 18.0)
    assert deployment.place(2.0, 30.0) == 0.0
    assert (deployment.running, deployment.pending, deployment.reserved) == (1, 6, 3.0)
    for tick in range(300, 600):
        deployment.advance(tick / 10, 0.5)
    assert (deployment.target, deployment.running, deployment.pending) == (1, 1, 0)


def test_nodes_come_when_replicas_wait_and_go_when_idle() -> None:
    nodes = Nodes(NodeSettings(cpus=4, node_start_s=30, pod_start_s=8, idle_s=60))
    ready = []
    for second in range(200):
        nodes.advance(second, 4.0 if second < 100 else 2.0, 6.0 if second < 38 else 0.0)
        ready.append(nodes.ready)
    assert ready[37] == 1
    assert ready[38] == 3
    assert ready[-1] == 1
    assert ready.index(1, 39) >= 98


def test_triton_doubles_at_most_and_goes_down_late_and_one_by_one() -> None:
    settings = TritonSettings(max_pods=20, node_start_s=0, pod_start_s=0, connect_s=0)
    pods = TritonPods(settings)
    targets = []
    for second in range(900):
        pods.advance(second, 9.0 if second < 300 else 0.6, 0.0)
        targets.append(pods.target)
    assert targets[14] == 3
    assert max(targets) == 15
    first_down_s = next(i for i in range(1, 900) if targets[i] < targets[i - 1])
    assert first_down_s >= 300 + settings.stabilization_s
    assert targets[first_down_s + 60] == targets[first_down_s] - 1


def test_triton_stays_within_the_tolerance() -> None:
    pods = TritonPods(TritonSettings(min_pods=1))
    for second in range(200):
        pods.advance(second, 0.65, 2200.0)
    assert pods.target == 1
