"""What a ranking costs each part, and so what a number of replicas can answer.

The figures are of docs/measurements.md and docs/model-server.md (two shared AVX2 cores); where one
is assumed its comment says so. Waits between two ticks are those of a queue in its steady state.
"""

from dataclasses import dataclass

from serving.models.settings import RankerSettings

_FULL = 0.95  # utilization from which the steady-state wait stands in for a queue that grows


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of one processor a ranking; rows are candidates."""

    # "Whole server 16.9 ms, scoring 10.2": 6.7 ms are the ingress's own without the model.
    ingress_rules_s: float = 0.0067
    # Half of the hop (10.2 - 5.5 = 4.7 ms) is the caller's: assumed.
    ingress_hop_s: float = 0.0023
    # Shoppers post 1.4 events a ranking (docs/load.md); 2 ms of the ingress each: assumed.
    ingress_events_s: float = 0.0028
    # The other half of the hop, and packing: assumed. All parts together are then 18 ms a ranking
    # without its events; `make trace-cost` measured 18 to 21 ms of processor in the whole stack.
    ranker_s: float = 0.0035
    # Triton and its call: 5.5 ms with 50 rows, and the slope of the table in docs/model-server.md
    # (50 to 1,600 rows, least squares; the small model's: that of the full one was not measured).
    batch_s: float = 0.005
    row_s: float = 0.0000106
    rows: int = 150  # between /v1/rank (50) and retrieval (200)

    @property
    def by_rules_s(self) -> float:
        """Of an ingress replica's event loop, for a ranking that rules answer, and its events."""
        return self.ingress_rules_s + self.ingress_events_s

    @property
    def by_model_s(self) -> float:
        """The same for one that the model answers."""
        return self.by_rules_s + self.ingress_hop_s

    def call_s(self, requests: float) -> float:
        """Triton's time for a batch of so many rankings."""
        return self.batch_s + self.row_s * self.rows * requests


def wait_s(service_s: float, utilization: float) -> float:
    """Mean wait for one server, Poisson arrivals and equal services (Pollaczek-Khinchine)."""
    rho = min(utilization, _FULL)
    return rho * service_s / (2 * (1 - rho))


@dataclass(frozen=True, slots=True)
class ModelPath:
    """Ranker replicas in front of Triton pods, at one moment."""

    costs: Costs
    batching: RankerSettings
    rankers: int
    pods: int
    share: float = 1.0  # of a processor that a Ranker replica gets

    @property
    def permits(self) -> int:
        """Batches that may be with Triton at once."""
        return self.rankers * self.batching.concurrent_batches

    def merged(self, rate: float) -> float:
        """Rankings a batch at `rate` a second: one while Triton keeps up, then what has to be."""
        busy = rate * self.costs.row_s * self.costs.rows
        if busy >= self.pods:
            return float("inf")
        return max(1.0, rate * self.costs.batch_s / (self.pods - busy))

    def busy(self, rate: float) -> float:
        """Pods that compute, a mean."""
        return min(float(self.pods), rate * self.costs.call_s(1))

    def permit_wait_s(self, rate: float) -> float:
        """What a ranking waits in the Ranker for a permit: half of a batch's time in the mean."""
        requests = self.merged(rate)
        if requests == 1.0:
            return 0.0
        return 0.5 * self.permits / self.pods * self.costs.call_s(requests)

    def latency_s(self, rate: float) -> float:
        """From the call to the Ranker until its answer, at `rate` rankings a second."""
        if not self.pods or not self.rankers:
            return float("inf")
        here_s = self.costs.ranker_s / self.share
        here_s += wait_s(here_s, rate * here_s / self.rankers)
        requests = self.merged(rate)
        if requests == 1.0:
            call_s = self.costs.call_s(1)
            return here_s + call_s + wait_s(call_s, rate * call_s / self.pods)
        # Every permit is out: a batch waits behind the others of its pod.
        return here_s + 3 * self.permit_wait_s(rate)

    def capacity(self, budget_s: float) -> float:
        """Rankings a second that are answered within `budget_s`."""
        if not self.pods or not self.rankers:
            return 0.0
        here_s = self.costs.ranker_s / self.share
        if budget_s <= here_s + self.costs.call_s(1):
            return 0.0
        # The largest batch that is still in time, and no larger than a batch may be.
        most = min(self.batching.max_batch_requests, self.batching.max_batch_rows / self.costs.rows)
        in_time_s = (budget_s - here_s) * self.pods / (1.5 * self.permits)
        fits = (in_time_s - self.costs.batch_s) / (self.costs.row_s * self.costs.rows)
        requests = max(1.0, min(most, fits))
        return min(
            self.pods * requests / self.costs.call_s(requests),
            _FULL * self.rankers / here_s,
        )
