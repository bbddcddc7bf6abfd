"""What a simulated run comes to, in figures."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from loadtests.autoscaling.burst import TICK_S, Scenario, Series, Trace

_WINDOW = round(5 / TICK_S)
_WELL = 0.01  # share of rules from which the model route counts as not back


@dataclass(frozen=True, slots=True)
class Finding:
    """One run in figures. Shares are of the rankings from the first rise to the last fall."""

    name: str
    offered: int
    refused: int
    late: int
    refused_share: float
    late_share: float
    rules_share: float
    model_back_s: float | None  # from the rise until the model answers 99 %; None: not in the burst
    median_s: float  # of the slower route, over the burst's second half
    slowest_s: float
    workers_at_rest: int
    workers_most: int
    ingress_most: int
    ranker_most: int
    pods_most: int
    turns: int  # in the burst: times that a part went up again after it had gone down
    turns_after: int  # the same after the burst
    back_s: float | None  # from the fall until all parts have their least again; None: never

    @property
    def held(self) -> bool:
        """None refused, none late."""
        return self.refused == 0 and self.late == 0

    def as_json(self) -> dict[str, Any]:
        """Figures and verdict."""
        return {**asdict(self), "held": self.held}


def finding(scenario: Scenario, trace: Trace) -> Finding:
    """What a run comes to."""
    burst = scenario.burst
    begin, end = round(burst.before_s / TICK_S), round(burst.end_s / TICK_S)
    columns = dict(trace.columns())
    offered = columns["offered"][begin:end].sum()
    targets = [columns[name] for name in ("ingress_target", "ranker_target", "pods_target")]
    workers = columns["workers"]
    return Finding(
        name=scenario.name,
        offered=int(columns["offered"].sum()),
        refused=int(columns["refused"].sum()),
        late=int(columns["late"].sum()),
        refused_share=float(columns["refused"][begin:end].sum() / offered),
        late_share=float(columns["late"][begin:end].sum() / offered),
        rules_share=float(columns["rules"][begin:end].sum() / offered),
        model_back_s=_model_back_s(columns["offered"][begin:end], columns["model"][begin:end]),
        median_s=float(np.median(columns["latency_s"][(begin + end) // 2 : end])),
        slowest_s=float(columns["latency_s"].max()),
        workers_at_rest=int(columns["workers"][begin]),
        workers_most=int(columns["workers"].max()),
        ingress_most=int(columns["ingress"].max()),
        ranker_most=int(columns["ranker"].max()),
        pods_most=int(columns["pods"].max()),
        turns=sum(_turns(target[begin:end]) for target in targets),
        turns_after=sum(_turns(target[end:]) for target in targets),
        back_s=_back_s([*targets, workers], end),
    )


def _model_back_s(offered: Series, model: Series) -> float | None:
    """Seconds until the last window in which the model answered less than 99 %."""
    n = len(offered) // _WINDOW
    windows = [column[: n * _WINDOW].reshape(n, _WINDOW).sum(axis=1) for column in (offered, model)]
    # A queue carries a few rankings from one window to the next.
    missed = windows[1] < (1 - _WELL) * windows[0] - 2 * np.sqrt(windows[0])
    if not missed.any():
        return 0.0
    last = int(np.nonzero(missed)[0][-1]) + 1
    return None if last >= n - 2 else last * _WINDOW * TICK_S


def _turns(target: Series) -> int:
    steps = np.sign(np.diff(target))
    steps = steps[steps != 0]
    return int(np.sum((steps[1:] > 0) & (steps[:-1] < 0)))


def _back_s(parts: list[Series], end: int) -> float | None:
    last = 0
    for part in parts:
        if part[-1] != part[0]:
            return None
        above = np.nonzero(part[end:] != part[0])[0]
        last = max(last, int(above[-1]) + 1 if len(above) else 0)
    return last * TICK_S
