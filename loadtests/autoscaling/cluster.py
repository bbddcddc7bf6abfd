"""What Kubernetes adds: nodes for Ray's workers, and Triton pods by a horizontal autoscaler."""

import math
from collections import deque
from dataclasses import dataclass

_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """A worker group of the RayCluster."""

    cpus: int = 4  # of a worker pod
    other_cpus: float = 0.2  # what two ColdStart replicas reserve; they are not simulated
    min_workers: int = 1
    max_workers: int = 6
    # Until Kubernetes has a place for the pod: 0 with room kept free, 30 s when the image is there
    # but the node is not quite, 90 s for a new node with its images. Assumed.
    node_start_s: float = 90.0
    pod_start_s: float = 8.0  # containers, `ray start`, the head has seen it: assumed
    pass_s: float = 5.0  # ray/autoscaler/_private/constants.py: AUTOSCALER_UPDATE_INTERVAL_S
    idle_s: float = 300.0  # serving.autoscaler.idleTimeoutSeconds of the chart


class Nodes:
    """Ray's in-tree autoscaler over one worker group; replicas are counted as if well packed."""

    def __init__(self, settings: NodeSettings) -> None:
        self._settings = settings
        self.ready = settings.min_workers
        self._starting: list[float] = []
        self._pass_due_s = 0.0
        self._idle_since_s: float | None = None

    @property
    def cpus(self) -> int:
        """Processors of the workers that are up."""
        return self.ready * self._settings.cpus

    def free(self, reserved: float) -> float:
        """Processors that nothing has reserved."""
        return self.cpus - reserved - self._settings.other_cpus

    def advance(self, now_s: float, reserved: float, pending: float) -> None:
        """reserved: processors that replicas have; pending: that others wait for."""
        settings = self._settings
        up = sum(1 for at_s in self._starting if at_s <= now_s + _SLACK_S)
        if up:
            self._starting = self._starting[up:]
            self.ready += up
        if now_s + _SLACK_S < self._pass_due_s:
            return
        self._pass_due_s = now_s + settings.pass_s
        needed_cpus = reserved + pending + settings.other_cpus
        wanted = math.ceil(needed_cpus / settings.cpus - _SLACK_S)
        wanted = max(settings.min_workers, min(settings.max_workers, wanted))
        missing = wanted - self.ready - len(self._starting)
        if missing > 0:
            self._starting += [now_s + settings.node_start_s + settings.pod_start_s] * missing
        if wanted >= self.ready:
            self._idle_since_s = None
        elif self._idle_since_s is None:
            self._idle_since_s = now_s
        elif now_s - self._idle_since_s >= settings.idle_s:
            self.ready = wanted
            self._idle_since_s = None


@dataclass(frozen=True, slots=True)
class TritonSettings:
    """The chart's autoscaler of the model server (helm/templates/model-server-autoscaling.yaml).

    Two figures, and the one that asks for more pods counts; infinite: it is not asked.
    """

    min_pods: int = 1
    max_pods: int = 8
    queued_rows: float = 2048.0  # candidate rows that wait in front of the model, a pod
    busy_share: float = 0.6  # of its time that a pod computes, mean of the last window
    window_s: float = 60.0
    scrape_s: float = 15.0  # Prometheus's interval: how old the newest figure may be
    sync_s: float = 15.0  # kube-controller-manager's --horizontal-pod-autoscaler-sync-period
    tolerance: float = 0.1  # --horizontal-pod-autoscaler-tolerance
    up_pods: int = 2  # double, or so many more, each 15 s
    down_pods: int = 1  # fewer, each `down_s`
    down_s: float = 60.0
    stabilization_s: float = 300.0
    node_start_s: float = 90.0
    # The models load in 1.3 s (docs/model-server.md); containers, the publish init container and
    # the readiness probe: assumed.
    pod_start_s: float = 20.0
    # Until the Ranker replicas' connections reach the new pod. Assumed; docs/autoscaling.md says
    # what it takes.
    connect_s: float = 30.0


class TritonPods:
    """Triton's Deployment under its autoscaler."""

    def __init__(self, settings: TritonSettings) -> None:
        self._settings = settings
        self.ready = settings.min_pods
        self.target = settings.min_pods
        self._starting: list[float] = []
        self._busy: deque[tuple[float, float]] = deque()
        self._scraped_busy = 0.0
        self._scraped_rows = 0.0
        self._scrape_due_s = 0.0
        self._sync_due_s = 0.0
        self._wanted: deque[tuple[float, int]] = deque()
        self._down_from_s = 0.0  # no pod is taken away before

    def advance(self, now_s: float, busy: float, rows: float) -> None:
        """busy: pods that compute now, a mean; rows: that wait in front of the model."""
        settings = self._settings
        up = sum(1 for at_s in self._starting if at_s <= now_s + _SLACK_S)
        if up:
            self._starting = self._starting[up:]
            self.ready += up
        self._busy.append((now_s, busy))
        if now_s + _SLACK_S >= self._scrape_due_s:
            self._scrape_due_s = now_s + settings.scrape_s
            while self._busy[0][0] < now_s - settings.window_s:
                self._busy.popleft()
            self._scraped_busy = sum(value for _, value in self._busy) / len(self._busy)
            self._scraped_rows = rows
        if now_s + _SLACK_S >= self._sync_due_s:
            self._sync_due_s = now_s + settings.sync_s
            self._sync(now_s)

    def _sync(self, now_s: float) -> None:
        settings = self._settings
        wanted = max(
            self._pods_for(self._scraped_rows / settings.queued_rows),
            self._pods_for(self._scraped_busy / settings.busy_share),
        )
        wanted = max(settings.min_pods, min(settings.max_pods, wanted))
        self._wanted.append((now_s, wanted))
        while self._wanted[0][0] < now_s - settings.stabilization_s:
            self._wanted.popleft()
        if wanted > self.target:
            most = max(2 * self.target, self.target + settings.up_pods)
            self._scale_to(min(wanted, most), now_s)
        wanted = max(replicas for _, replicas in self._wanted)
        if wanted < self.target and now_s >= self._down_from_s:
            self._down_from_s = now_s + settings.down_s
            self._scale_to(max(wanted, self.target - settings.down_pods), now_s)

    def _pods_for(self, pods: float) -> int:
        """`pods` as a whole number; the target when it is as good as that already."""
        if abs(pods / self.target - 1) <= self._settings.tolerance:
            return self.target
        return math.ceil(pods - _SLACK_S)

    def _scale_to(self, target: int, now_s: float) -> None:
        """A pod that stops answers what it has: its preStop, then Triton's exit timeout."""
        settings = self._settings
        more = target - self.target
        self.target = target
        if more > 0:
            at_s = now_s + settings.node_start_s + settings.pod_start_s + settings.connect_s
            self._starting += [at_s] * more
            return
        dropped = min(-more, len(self._starting))
        del self._starting[len(self._starting) - dropped :]
        self.ready -= -more - dropped
