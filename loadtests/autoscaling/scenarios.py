"""The settings that are compared."""

import math
from dataclasses import replace

from loadtests.autoscaling.burst import Burst, Scenario
from loadtests.autoscaling.cluster import NodeSettings, TritonSettings
from loadtests.autoscaling.costs import Costs
from loadtests.autoscaling.serve import Scaling
from serving.ranking.settings import AdmissionSettings, PipelineSettings
from serving.settings import DeploymentsSettings, ReplicaSettings

# The same for all, or nothing could be scaled: by default a deployment of ours has one replica.
_MOST = {"ingress": 16, "ranker": 6}
# An ingress replica stays reachable for 30 s (RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S) and
# then ends what it has; a Ranker replica looks every 2 s whether it has ended.
_DRAIN_S = {"ingress": 32.0, "ranker": 2.0}
STANDING_UTILIZATION = 0.85  # of event loops that answer the whole burst by rules


def standing_replicas(burst: Burst, costs: Costs) -> int:
    """Ingress replicas that answer the whole burst by rules, while others start."""
    loops = burst.steady_rate * burst.factor * costs.by_rules_s
    return math.ceil(loops / STANDING_UTILIZATION)


def most_ongoing(costs: Costs, pipeline: PipelineSettings) -> int:
    """Rankings that an ingress replica may hold so that rules answer the last of them in time."""
    return int((pipeline.default_budget_s - pipeline.rules_reserve_s) / costs.by_rules_s)


def scenarios(burst: Burst) -> list[Scenario]:
    """Serve's defaults, ours, what is proposed, and what each part of that is for."""
    # Serve's own; a deployment's num_cpus is 1 there.
    default = ReplicaSettings(
        target_ongoing_requests=2, upscale_delay_s=30, downscale_delay_s=600,
        max_ongoing_requests=5, max_queued_requests=10**9, num_cpus=1,
    )  # fmt: skip
    ours = DeploymentsSettings()
    serve = Scenario(
        "Serve's defaults", _scaling("ingress", default), _scaling("ranker", default), burst=burst
    )
    as_they_are = replace(
        serve,
        name="made for one machine",
        ingress=_scaling("ingress", ours.ingress),
        ranker=_scaling("ranker", ours.ranker),
    )
    whole_cpus = replace(
        as_they_are,
        name="the same, num_cpus 1",
        ingress=_but(as_they_are.ingress, num_cpus=1),
        ranker=_but(as_they_are.ranker, num_cpus=1),
    )
    proposed = proposal(burst)
    return [
        serve,
        as_they_are,
        whole_cpus,
        proposed,
        starting_in(proposed, 30.0, "proposed, nodes in 30 s"),
        starting_in(proposed, 0.0, "proposed, nodes at once"),
        replace(
            proposed,
            name="proposed, but 2 ingress replicas",
            ingress=_but(proposed.ingress, min_replicas=2),
            nodes=replace(proposed.nodes, min_workers=1),
        ),
        replace(
            proposed,
            name="proposed, but num_cpus halved",
            ingress=_but(proposed.ingress, num_cpus=0.5),
            ranker=_but(proposed.ranker, num_cpus=0.25),
            nodes=replace(proposed.nodes, min_workers=proposed.nodes.min_workers // 2),
        ),
        replace(
            proposed,
            name="proposed, but targets 16 and 8",
            ingress=_but(proposed.ingress, target_ongoing_requests=16),
            ranker=_but(proposed.ranker, target_ongoing_requests=8),
        ),
        replace(
            proposed,
            name="proposed, Triton by rows alone",
            triton=replace(proposed.triton, busy_share=math.inf),
        ),
        replace(
            proposed,
            name="proposed, look-back 12 s",
            # A little over the 10 s at which figures are pushed: Serve warns of less.
            ingress=replace(proposed.ingress, look_back_s=12.0),
            ranker=replace(proposed.ranker, look_back_s=12.0),
        ),
        replace(
            proposed, name="proposed, ingress 25 % dearer", costs=_dearer(proposed.costs, 1.25)
        ),
        replace(
            proposed,
            name="8 standing, ingress 50 % dearer",
            ingress=_but(proposed.ingress, min_replicas=8),
            nodes=replace(proposed.nodes, min_workers=3),
            costs=_dearer(proposed.costs, 1.5),
        ),
    ]


def proposal(burst: Burst) -> Scenario:
    """What is proposed, with new nodes that take 90 s."""
    ours = DeploymentsSettings()
    ingress = _with(
        ours.ingress,
        min_replicas=standing_replicas(burst, Costs()),
        target_ongoing_requests=2,
        num_cpus=1,
    )
    ranker = _with(ours.ranker, min_replicas=2, target_ongoing_requests=2, num_cpus=0.5)
    nodes = NodeSettings()
    reserved = (
        ingress.min_replicas * ingress.num_cpus
        + ranker.min_replicas * ranker.num_cpus
        + nodes.other_cpus
    )
    return Scenario(
        "proposed, new nodes (90 s)",
        _scaling("ingress", ingress),
        _scaling("ranker", ranker),
        triton=TritonSettings(min_pods=2),
        nodes=replace(nodes, min_workers=math.ceil(reserved / nodes.cpus)),
        admission=AdmissionSettings(max_ongoing_rankings=most_ongoing(Costs(), PipelineSettings())),
        burst=burst,
    )


def starting_in(scenario: Scenario, node_start_s: float, name: str) -> Scenario:
    """The same with nodes that take so long."""
    return replace(
        scenario,
        name=name,
        nodes=replace(scenario.nodes, node_start_s=node_start_s),
        triton=replace(scenario.triton, node_start_s=node_start_s),
    )


def _dearer(costs: Costs, factor: float) -> Costs:
    """The same with an ingress that takes `factor` times as long."""
    return replace(
        costs,
        ingress_rules_s=costs.ingress_rules_s * factor,
        ingress_hop_s=costs.ingress_hop_s * factor,
        ingress_events_s=costs.ingress_events_s * factor,
    )


def _but(scaling: Scaling, **changes: float) -> Scaling:
    return replace(scaling, replicas=_with(scaling.replicas, **changes))


def _scaling(part: str, replicas: ReplicaSettings) -> Scaling:
    return Scaling(_with(replicas, max_replicas=_MOST[part]), drain_s=_DRAIN_S[part])


def _with(replicas: ReplicaSettings, **changes: float) -> ReplicaSettings:
    return replicas.model_copy(update=changes)
