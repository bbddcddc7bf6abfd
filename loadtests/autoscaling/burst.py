"""A tenfold burst through ingress, Ranker and Triton, in ticks of a tenth of a second.

A tick moves whole rankings: arrivals (Poisson, by seed) join the ingress replicas' queue, as many
leave it as their processors allow, by the model where it answers within its budget, else by rules.
What an ingress replica cannot take on is refused. Everything waits in order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from loadtests.autoscaling.cluster import Nodes, NodeSettings, TritonPods, TritonSettings
from loadtests.autoscaling.costs import Costs, ModelPath, wait_s
from loadtests.autoscaling.serve import Deployment, Scaling
from serving.models.settings import RankerSettings
from serving.ranking.settings import AdmissionSettings, PipelineSettings

TICK_S = 0.1
Series = npt.NDArray[np.float64]  # a value for each tick


@dataclass(frozen=True, slots=True)
class Burst:
    """Rankings a second: steady, tenfold within `ramp_s`, for `burst_s`, and back."""

    steady_rate: float = 50.0
    factor: float = 10.0
    before_s: float = 120.0
    ramp_s: float = 10.0
    burst_s: float = 600.0
    after_s: float = 1080.0

    @property
    def end_s(self) -> float:
        """When the rate is steady again."""
        return self.before_s + self.burst_s + self.ramp_s

    def rates(self) -> Series:
        """Rankings a second in each tick."""
        peak = self.steady_rate * self.factor
        points = [
            (0.0, self.steady_rate),
            (self.before_s, self.steady_rate),
            (self.before_s + self.ramp_s, peak),
            (self.before_s + self.burst_s, peak),
            (self.end_s, self.steady_rate),
            (self.end_s + self.after_s, self.steady_rate),
        ]
        times, rates = zip(*points, strict=True)
        ticks = np.arange(round(points[-1][0] / TICK_S)) * TICK_S
        rates_by_tick: Series = np.interp(ticks, times, rates)
        return rates_by_tick


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything a run depends on."""

    name: str
    ingress: Scaling
    ranker: Scaling
    triton: TritonSettings = field(default_factory=TritonSettings)
    nodes: NodeSettings = field(default_factory=NodeSettings)
    costs: Costs = field(default_factory=Costs)
    pipeline: PipelineSettings = field(default_factory=PipelineSettings)
    admission: AdmissionSettings = field(default_factory=AdmissionSettings)
    batching: RankerSettings = field(default_factory=RankerSettings)
    burst: Burst = field(default_factory=Burst)
    # From a replica's processor to its first answer. A killed Ranker is back after 5 s; the only
    # ingress replica is after 37, of which most is finding out that it is dead
    # (docs/measurements.md): 20 of them are assumed to be its start.
    ingress_start_s: float = 20.0
    ranker_start_s: float = 5.0
    seed: int = 7

    @property
    def ingress_limit(self) -> float:
        """Rankings that one ingress replica holds; infinite where nothing refuses."""
        replicas, most = self.ingress.replicas, self.admission.max_ongoing_rankings
        if replicas.max_ongoing_requests >= most:
            return most  # admission comes first
        return replicas.max_ongoing_requests + replicas.max_queued_requests


def _series() -> list[float]:
    return []


@dataclass(slots=True)
class Trace:
    """What happened in each tick. Counts are rankings; `waiting` is at the end of the tick."""

    offered: list[float] = field(default_factory=_series)
    model: list[float] = field(default_factory=_series)
    rules: list[float] = field(default_factory=_series)
    refused: list[float] = field(default_factory=_series)
    late: list[float] = field(default_factory=_series)
    waiting: list[float] = field(default_factory=_series)
    latency_s: list[float] = field(default_factory=_series)  # of the slower route of the tick
    ingress: list[float] = field(default_factory=_series)
    ingress_target: list[float] = field(default_factory=_series)
    ranker: list[float] = field(default_factory=_series)
    ranker_target: list[float] = field(default_factory=_series)
    pods: list[float] = field(default_factory=_series)
    pods_target: list[float] = field(default_factory=_series)
    workers: list[float] = field(default_factory=_series)

    def columns(self) -> Iterator[tuple[str, Series]]:
        """Name and values (ticks,) of each."""
        for name in self.__dataclass_fields__:
            yield name, self.column(name)

    def column(self, name: str) -> Series:
        """Values (ticks,) of one."""
        return np.array(getattr(self, name))


def simulate(scenario: Scenario) -> Trace:
    """Run the burst; the same scenario gives the same trace."""
    arrivals = np.random.default_rng(scenario.seed).poisson(scenario.burst.rates() * TICK_S)
    run = _Run(scenario)
    for tick, offered in enumerate(arrivals.tolist()):
        run.tick(tick * TICK_S, offered)
    return run.trace


class _Run:
    """The state between ticks."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._ingress = Deployment("Ingress", scenario.ingress, scenario.ingress_start_s)
        self._ranker = Deployment("Ranker", scenario.ranker, scenario.ranker_start_s)
        self._triton = TritonPods(scenario.triton)
        self._nodes = Nodes(scenario.nodes)
        self._waiting = 0
        self._share = 1.0  # of a processor that each replica got in the last tick
        self._loop_left_s = 0.0  # of the event loops, too little for one more ranking
        self._model_left = 0.0  # the same of the model, as a part of a ranking
        self.trace = Trace()

    def tick(self, now_s: float, offered: int) -> None:
        """`offered` rankings arrive between now and the next tick."""
        scenario, costs = self._scenario, self._scenario.costs
        replicas = self._ingress.running
        loops = max(min(replicas * self._share, self._nodes.cpus), 1e-9)
        here = self._waiting + offered
        behind_s = self._waiting * costs.by_rules_s / loops
        path = ModelPath(
            costs, scenario.batching, self._ranker.running, self._triton.ready, self._share
        )
        by_model, by_rules = self._answer(here, loops, behind_s, path)
        left = here - by_model - by_rules
        refused = int(min(offered, max(0, left - scenario.ingress_limit * replicas)))
        self._waiting = left - refused

        model_s = path.latency_s(by_model / TICK_S) if by_model else 0.0
        gives_up_s = self._gives_up_s(behind_s) if by_rules and by_model else 0.0
        busy_s = by_model * costs.by_model_s + by_rules * costs.by_rules_s
        # A queue that is carried over ticks, or the one of a steady state within them.
        queue_s = max(behind_s, wait_s(costs.by_model_s, busy_s / (loops * TICK_S)))
        own_s = queue_s + costs.ingress_rules_s
        model_latency_s = own_s + costs.ingress_hop_s + model_s
        rules_latency_s = own_s + gives_up_s
        deadline_s = scenario.pipeline.default_budget_s
        late = by_model * (model_latency_s > deadline_s) + by_rules * (rules_latency_s > deadline_s)

        ongoing = (by_model * model_latency_s + by_rules * rules_latency_s) / TICK_S
        in_ranker = (by_model * model_s + by_rules * gives_up_s) / TICK_S
        self._ingress.advance(now_s, ongoing)
        self._ranker.advance(now_s, in_ranker)
        rate = by_model / TICK_S
        queued_s = path.permit_wait_s(rate) if by_model else 0.0
        queued_rows = (by_model * queued_s + by_rules * gives_up_s) / TICK_S * costs.rows
        self._triton.advance(now_s, path.busy(rate), queued_rows)
        self._place(now_s, busy_s, by_model * costs.ranker_s)
        self._note(
            offered, by_model, by_rules, refused, late,
            max(model_latency_s if by_model else 0.0, rules_latency_s if by_rules else 0.0),
        )  # fmt: skip

    def _answer(self, here: int, loops: float, behind_s: float, path: ModelPath) -> tuple[int, int]:
        """How many leave the ingress in this tick, by the model and by rules."""
        costs, pipeline = self._scenario.costs, self._scenario.pipeline
        # A busy event loop also takes the model's answer late: half of its queue, assumed.
        budget_s = min(pipeline.model_budget_s, self._left_s(behind_s)) - behind_s / 2
        capacity = path.capacity(budget_s) * TICK_S + self._model_left
        by_model_share = min(1.0, int(capacity) / here) if here else 0.0
        mean_s = by_model_share * costs.by_model_s + (1 - by_model_share) * costs.by_rules_s
        time_s = loops * TICK_S + self._loop_left_s
        leave = min(here, int(time_s / mean_s))
        # The part of a second that is too short for a ranking goes to the next one.
        self._loop_left_s = time_s - leave * mean_s if leave < here else 0.0
        by_model = min(int(capacity), round(by_model_share * leave))
        by_rules = leave - by_model
        self._model_left = max(0.0, capacity - by_model) % 1.0
        return by_model, by_rules

    def _left_s(self, behind_s: float) -> float:
        pipeline = self._scenario.pipeline
        return max(0.0, pipeline.default_budget_s - pipeline.rules_reserve_s - behind_s)

    def _gives_up_s(self, behind_s: float) -> float:
        """What a ranking waits for a model that answers others, but not it."""
        return min(self._scenario.pipeline.model_budget_s, self._left_s(behind_s))

    def _place(self, now_s: float, ingress_s: float, ranker_s: float) -> None:
        """Replicas get processors; nodes are asked for what has none."""
        ingress, ranker, nodes = self._ingress, self._ranker, self._nodes
        free = ingress.place(nodes.free(ingress.reserved + ranker.reserved), now_s)
        ranker.place(free, now_s)
        pending = ingress.pending * ingress.num_cpus + ranker.pending * ranker.num_cpus
        nodes.advance(now_s, ingress.reserved + ranker.reserved, pending)
        # A loop with a queue takes all it can get.
        wanted = ingress.running if self._waiting else ingress_s / TICK_S
        wanted += ranker_s / TICK_S
        self._share = min(1.0, nodes.cpus / max(wanted, 1e-9))

    def _note(
        self,
        offered: int,
        by_model: int,
        by_rules: int,
        refused: int,
        late: float,
        slowest_s: float,
    ) -> None:
        trace = self.trace
        trace.offered.append(offered)
        trace.model.append(by_model)
        trace.rules.append(by_rules)
        trace.refused.append(refused)
        trace.late.append(late)
        trace.waiting.append(self._waiting)
        trace.latency_s.append(slowest_s)
        trace.ingress.append(self._ingress.running)
        trace.ingress_target.append(self._ingress.target)
        trace.ranker.append(self._ranker.running)
        trace.ranker_target.append(self._ranker.target)
        trace.pods.append(self._triton.ready)
        trace.pods_target.append(self._triton.target)
        trace.workers.append(self._nodes.ready)
