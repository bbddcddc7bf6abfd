"""Break one thing at a time under steady load: nothing accepted is lost, every ranking answered.

`make chaos` starts stacks of its own with two ingress and two Ranker replicas. For each fault: how
rankings were answered meanwhile, how long the slowest of them took, when the model answered again
after the cause had ended, how many processes were started anew, and whether every accepted event is
in the features. Ends with a table and build/reports/chaos.json; the exit status is 1 when a bar
was missed.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from loadtests.chaos.clock import ShiftedClock
from loadtests.chaos.faults import FAULTS, Fault, Rig
from loadtests.chaos.nats_process import NatsProcess
from loadtests.chaos.proxy import DelayingProxy
from loadtests.chaos.redis_process import RedisProcess
from loadtests.chaos.traffic import Traffic
from loadtests.stack import run_stack
from serving.local.machine import free_port

WARM_S = 3.0
PATIENCE_S = 60.0  # for recovery, and for a new process
SETTLE_S = 3.0  # over which a new process is watched
BUSY_PERCENT = 40.0
ARRIVAL_S = 30.0  # for accepted events to be in the features
RECOVERY_BAR_S = 30.0
FALLBACK_BAR_S = 0.2


@dataclass(slots=True)
class Outcome:
    """What one fault did. Rankings are those due from the fault until recovery."""

    fault: str
    rankings: dict[str, int] = field(default_factory=dict)  # by route
    failures: dict[str, int] = field(default_factory=dict)  # by what the caller saw
    slowest_fallback_s: float | None = None
    recovery_s: float | None = None  # from the end of the cause; None: not within PATIENCE_S
    restarts: int | None = None
    restarts_expected: int | None = None
    accepted: int = 0
    unanswered: int = 0
    arrived: int = 0

    @property
    def missed(self) -> list[str]:
        """The bars that were not met."""
        failed = self.rankings.get("failed", 0)
        slow = self.slowest_fallback_s or 0.0
        return [
            said
            for said, broken in (
                (f"{failed} rankings failed", failed > 0),
                ("did not recover", self.recovery_s is None),
                ("recovered late", (self.recovery_s or 0.0) > RECOVERY_BAR_S),
                (f"a fallback took {1000 * slow:.0f} ms", slow > FALLBACK_BAR_S),
                (f"{self.accepted - self.arrived} events lost", self.arrived != self.accepted),
                (f"{self.restarts} restarts", self.restarts != self.restarts_expected),
            )
            if broken
        ]


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", default="1000", help="size of the grocery catalogue")
    parser.add_argument("--only", help="one fault by name")
    parser.add_argument("--quick", action="store_true", help="the main faults, in three minutes")
    parser.add_argument("--rate", type=float, default=10.0, help="rankings a second")
    parser.add_argument("--state", type=Path, default=Path("build/chaos"), help="kept: prepared")
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    options = parser.parse_args()
    console = Console()
    chosen = [
        fault
        for fault in FAULTS
        if options.only in (None, fault.name) and (fault.quick or not options.quick)
    ]
    outcomes = []
    for kind in ("files", "redis", "nats", "clock"):
        faults = [fault for fault in chosen if fault.rig == kind]
        if not faults:
            continue
        with rig(options.state / kind, options.items, kind) as shop:
            for fault in faults:
                console.print(f"{fault.name} ...")
                outcomes.append(run(shop, fault, options.rate))
                console.print(outcomes[-1])
    options.out.mkdir(parents=True, exist_ok=True)
    rows = [{**asdict(outcome), "missed": outcome.missed} for outcome in outcomes]
    (options.out / "chaos.json").write_text(json.dumps(rows, indent=2) + "\n")
    console.print(table(outcomes))
    return 1 if any(outcome.missed for outcome in outcomes) else 0


@contextmanager
def rig(state: Path, items: str, kind: str) -> Iterator[Rig]:
    """A running stack with a proxy before Triton; see Fault.rig for its kinds."""
    state.mkdir(parents=True, exist_ok=True)
    triton_port, via = free_port(), free_port()
    options = ["--items", items, "--replicas", "2"]
    options += ["--triton-port", str(triton_port), "--triton-via", str(via)]
    proxy = DelayingProxy(via, triton_port)
    redis, nats, clock = None, None, None
    if kind == "clock":
        clock = ShiftedClock(state)
    if kind in ("redis", "nats"):
        redis = RedisProcess(free_port(), state)
        redis.start()
        options += ["--redis", f"127.0.0.1:{redis.port}"]
    if kind == "nats":
        nats = NatsProcess(free_port(), state / "nats", synced=True)
        nats.start()
        options += ["--nats", nats.url]
    try:
        environment = clock.environment if clock else {}
        for stack in run_stack(state, free_port(), *options, environment=environment):
            yield Rig(stack, proxy, nats or redis, clock)
    finally:
        proxy.close()
        if redis is not None:
            redis.stop()
        if nats is not None:
            nats.stop()


def run(rig: Rig, fault: Fault, rate: float) -> Outcome:
    """Inflict `fault` under traffic, mend it, wait for recovery, and count."""
    outcome = Outcome(fault.name, restarts_expected=fault.restarts if fault.process else None)
    with Traffic(rig.stack, rate) as traffic:
        time.sleep(WARM_S)
        before = _pids(rig, fault.process) if fault.process else set()
        began_s = time.monotonic()
        mend = fault.inflict(rig)
        if mend is not None:
            time.sleep(fault.lasts_s)
            mend()
        ended_s = time.monotonic()
        steady_s = None
        while steady_s is None and time.monotonic() - ended_s < PATIENCE_S:
            time.sleep(0.2)
            steady_s = traffic.steady_since(ended_s)
        if steady_s is not None:
            outcome.recovery_s = round(steady_s - ended_s, 2)
    until_s = time.monotonic() if steady_s is None else steady_s
    meanwhile = [answer for answer in traffic.answers if began_s <= answer.due_s <= until_s]
    outcome.rankings = dict(Counter(answer.route for answer in meanwhile))
    outcome.failures = dict(
        Counter(answer.detail for answer in meanwhile if answer.route == "failed")
    )
    fallbacks = [answer.latency_s for answer in meanwhile if answer.route == "fallback"]
    outcome.slowest_fallback_s = round(max(fallbacks), 3) if fallbacks else None
    outcome.accepted, outcome.unanswered = traffic.accepted, traffic.unanswered
    outcome.arrived = arrivals(rig, traffic.user, traffic.accepted)
    if fault.process is not None:
        outcome.restarts = restarts(rig, fault.process, before, fault.restarts)
    return outcome


def restarts(rig: Rig, pattern: str, before: set[int], expected: int) -> int:
    """How many processes are new, once as many as `before` run and have started, or time is over.

    The next fault begins only then: one thing is broken at a time.
    """
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        now = _pids(rig, pattern)
        new = now - before
        if len(now) >= len(before) and len(new) >= expected and not any(map(_starting, new)):
            break
        time.sleep(0.5)
    return len(_pids(rig, pattern) - before)


def _starting(pid: int) -> bool:
    """A process that imports and fills its caches keeps a core busy; one that serves does not."""
    try:
        return psutil.Process(pid).cpu_percent(interval=SETTLE_S) > BUSY_PERCENT
    except psutil.NoSuchProcess:
        return True


def arrivals(rig: Rig, user: str, accepted: int) -> int:
    """How many events of `user` are in the features, once all are or ARRIVAL_S are over."""
    deadline_s = time.monotonic() + ARRIVAL_S
    arrived = -1
    while arrived != accepted and time.monotonic() < deadline_s:
        try:
            answer = rig.stack.client.get(f"/v1/users/{user}/features")
            if answer.status_code == 200:
                arrived = int(answer.json().get("interactions", 0))
        except (httpx.HTTPError, ValueError):
            pass
        time.sleep(0.2)
    return arrived


def _pids(rig: Rig, pattern: str) -> set[int]:
    return {process.pid for process in rig.find(pattern)}


def table(outcomes: list[Outcome]) -> Table:
    """The outcomes, a row each."""
    shown = Table(
        "fault", "rankings meanwhile", "slowest fallback", "model again after", "events", "missed",
        title="one thing broken at a time",
    )  # fmt: skip
    for outcome in outcomes:
        shown.add_row(
            outcome.fault,
            ", ".join(f"{n} {route}" for route, n in outcome.rankings.items()) or "all model",
            ""
            if outcome.slowest_fallback_s is None
            else f"{1000 * outcome.slowest_fallback_s:.0f} ms",
            "never" if outcome.recovery_s is None else f"{outcome.recovery_s:.1f} s",
            f"{outcome.arrived} of {outcome.accepted}",
            "; ".join(outcome.missed) or "-",
            style="red" if outcome.missed else None,
        )
    return shown


if __name__ == "__main__":
    sys.exit(main())
