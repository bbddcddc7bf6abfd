"""Replicas of one Serve deployment, scaled by Ray's own code from the figures that Ray would have.

Each replica's ongoing requests are recorded, kept for the look-back window and pushed to the
controller at Ray's intervals (ray/serve/_private/router.py and replica.py). The controller's merge
over the window, the policy and its delays are imported from Ray; only the clock is ours.
"""

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from ray.serve._private.autoscaling_metrics_merge import merge_and_aggregate_arrays
from ray.serve._private.common import DeploymentID
from ray.serve._private.constants import RAY_SERVE_AUTOSCALING_METRIC_RECORD_INTERVAL_FACTOR
from ray.serve.autoscaling_policy import (
    _apply_delay_logic,
    _apply_scaling_factors,
    replica_queue_length_autoscaling_policy,
)
from ray.serve.config import AutoscalingConfig, AutoscalingContext

from serving.settings import ReplicaSettings

DECIDE_S = 1.0  # Serve decides ten times a second; a second is enough for delays of seconds
_EPOCH_S = 1_000.0  # Ray's merge wants positive timestamps
_SLACK_S = 1e-6  # ticks of 0.1 s do not add up exactly


@dataclass(frozen=True, slots=True)
class Scaling:
    """Settings of one deployment, and those of Serve that ReplicaSettings does not have."""

    replicas: ReplicaSettings
    look_back_s: float = 30.0  # AutoscalingConfig.look_back_period_s
    metrics_interval_s: float = 10.0  # how often figures reach the controller
    drain_s: float = 2.0  # from the decision until the replica's processor is free

    def config(self) -> AutoscalingConfig:
        """Ray's own."""
        with warnings.catch_warnings():
            # `metrics_interval_s` warns that environment variables will come in its place; Ray
            # 2.60 declares those and reads them nowhere.
            warnings.simplefilter("ignore")
            return AutoscalingConfig(
                min_replicas=self.replicas.min_replicas,
                max_replicas=self.replicas.max_replicas,
                target_ongoing_requests=self.replicas.target_ongoing_requests,
                upscale_delay_s=self.replicas.upscale_delay_s,
                downscale_delay_s=self.replicas.downscale_delay_s,
                look_back_period_s=self.look_back_s,
                metrics_interval_s=self.metrics_interval_s,
            )


@dataclass(slots=True)
class _Replica:
    """One running replica's figures; times in seconds of the simulation."""

    record_due_s: float
    push_due_s: float
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    pushed: npt.NDArray[np.float64] | None = None  # (2, n): times, values


class Deployment:
    """A deployment whose replicas wait for a processor, start, run and drain."""

    def __init__(self, name: str, scaling: Scaling, start_s: float) -> None:
        """start_s: from a processor for a replica until it answers."""
        self._name = name
        self._scaling = scaling
        self._config = scaling.config()
        self._start_s = start_s
        self._state: dict[str, Any] = {}
        self._record_s = min(
            scaling.look_back_s * RAY_SERVE_AUTOSCALING_METRIC_RECORD_INTERVAL_FACTOR,
            scaling.metrics_interval_s,
        )
        # Where in the push interval a replica began, spread evenly: they start one by one.
        self._phases: Iterator[float] = (0.618 * i % 1.0 for i in itertools.count())
        self.target = scaling.replicas.min_replicas
        self.pending = 0
        self._starting: list[float] = []  # when each is ready
        self._draining: list[float] = []  # when each is gone
        self._running = [self._replica(0.0) for _ in range(self.target)]
        self._decide_due_s = 0.0
        self._record_due_s = 0.0  # the first of all replicas

    @property
    def running(self) -> int:
        """Replicas that answer."""
        return len(self._running)

    @property
    def num_cpus(self) -> float:
        """What a replica reserves."""
        return self._scaling.replicas.num_cpus

    @property
    def reserved(self) -> float:
        """Processors that its replicas have reserved."""
        return self.num_cpus * (len(self._running) + len(self._starting) + len(self._draining))

    def place(self, free: float, now_s: float) -> float:
        """Start what waits as far as `free` processors go; what is left of them."""
        while self.pending and free + _SLACK_S >= self.num_cpus:
            free -= self.num_cpus
            self.pending -= 1
            self._starting.append(now_s + self._start_s)
        return free

    def advance(self, now_s: float, ongoing: float) -> None:
        """Let time pass: `ongoing` requests are in the deployment now, evenly over replicas."""
        ready = [at_s for at_s in self._starting if at_s <= now_s + _SLACK_S]
        if ready:
            self._starting = [at_s for at_s in self._starting if at_s > now_s + _SLACK_S]
            self._running += [self._replica(now_s) for _ in ready]
            self._record_due_s = now_s
        if self._draining and self._draining[0] <= now_s:
            self._draining = [at_s for at_s in self._draining if at_s > now_s]
        self._record(now_s, ongoing / max(1, len(self._running)))
        if now_s + _SLACK_S >= self._decide_due_s:
            self._decide_due_s = now_s + DECIDE_S
            self._scale_to(self._decide(now_s), now_s)

    def _replica(self, now_s: float) -> _Replica:
        interval_s = self._scaling.metrics_interval_s
        return _Replica(now_s, now_s + next(self._phases) * interval_s)

    def _record(self, now_s: float, value: float) -> None:
        if now_s + _SLACK_S < self._record_due_s:
            return
        for replica in self._running:
            if now_s + _SLACK_S >= replica.record_due_s:
                replica.record_due_s += self._record_s
                replica.times.append(now_s + _EPOCH_S)
                replica.values.append(value)
            if now_s + _SLACK_S >= replica.push_due_s:
                replica.push_due_s += self._scaling.metrics_interval_s
                since_s = now_s + _EPOCH_S - self._scaling.look_back_s
                old = sum(1 for at_s in replica.times if at_s < since_s)
                del replica.times[:old], replica.values[:old]
                replica.pushed = np.array([replica.times, replica.values])
        dues_s = (min(replica.record_due_s, replica.push_due_s) for replica in self._running)
        self._record_due_s = min(dues_s, default=now_s)

    def total(self, now_s: float) -> float:
        """Ongoing requests as Serve's controller sees them."""
        known = [replica.pushed for replica in self._running if replica.pushed is not None]
        if not known:
            return 0.0
        ends = np.cumsum([0, *(pushed.shape[1] for pushed in known)])
        times, values = np.concatenate(known, axis=1)
        return merge_and_aggregate_arrays(times, values, ends, now_s + _EPOCH_S, "mean")

    def _decide(self, now_s: float) -> int:
        """As DeploymentAutoscalingState.get_decision_num_replicas, by a clock of our own."""
        context = AutoscalingContext(
            deployment_id=DeploymentID(self._name),
            deployment_name=self._name,
            app_name=None,
            current_num_replicas=len(self._running),
            target_num_replicas=self.target,
            running_replicas=[],
            total_num_requests=self.total(now_s),
            total_queued_requests=None,
            aggregated_metrics=None,
            raw_metrics=None,
            capacity_adjusted_min_replicas=self._config.min_replicas,
            capacity_adjusted_max_replicas=self._config.max_replicas,
            policy_state=self._state,
            last_scale_up_time=None,
            last_scale_down_time=None,
            current_time=now_s,
            config=self._config,
        )
        wanted, _ = replica_queue_length_autoscaling_policy(context)
        scaled = _apply_scaling_factors(wanted, len(self._running), self._config)
        decided, self._state = _apply_delay_logic(
            max(0, scaled), self.target, self._config, self._state, _now=now_s
        )
        return max(self._config.min_replicas, min(self._config.max_replicas, decided))

    def _scale_to(self, target: int, now_s: float) -> None:
        """Serve stops what does not run yet first, then the newest."""
        if target == self.target:
            return
        more = target - self.target
        self.target = target
        if more > 0:
            self.pending += more
            return
        fewer = -more
        dropped = min(fewer, self.pending)
        self.pending -= dropped
        fewer -= dropped
        dropped = min(fewer, len(self._starting))
        del self._starting[len(self._starting) - dropped :]
        fewer -= dropped
        del self._running[len(self._running) - fewer :]
        self._draining += [now_s + self._scaling.drain_s] * fewer
