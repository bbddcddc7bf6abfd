"""Kill -9 of each process of the local stack, one at a time, while events are posted.

`make kills` starts a stack of its own. For each process: how rankings were answered meanwhile, how
long until the model answered again, and whether every accepted event is in the features afterwards.
Prints a table and writes build/reports/kills.json; the exit status is 1 when an event was lost or
the stack did not come back.
"""

import argparse
import json
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from serving.local.stack import free_port
from tests.stack import RunningStack, run_stack

RECOVERY_S = 90.0
# What to look for in the command lines of the stack's processes.
TARGETS = {
    "tritonserver": "bin/tritonserver",
    "Triton's ranker process": "models/ranker",
    "ingest": "features.ingest",
    "Ingress replica": "ServeReplica:vitrine:Ingress",
    "Ranker replica": "ServeReplica:vitrine:Ranker",
    "ColdStart replica": "ServeReplica:vitrine:ColdStart",
    "Serve controller": "ServeController",
    "HAProxy": "bin/haproxy",
    "HAProxy manager": "HAProxyManager",
    "Ray's GCS": "gcs_server",
    "Ray's raylet": "raylet/raylet",
    "application process": "serving.local.app_process",
}


@dataclass(slots=True)
class Outcome:
    """What one kill did."""

    target: str
    rankings: Counter[str] = field(default_factory=Counter)  # by route; "failed" for no answer
    victim: str = ""
    accepted: int = 0
    refused: int = 0  # event posts that were not accepted: the caller knows, nothing was promised
    arrived: int = 0
    recovery_s: float | None = None  # None: not within RECOVERY_S

    @property
    def good(self) -> bool:
        """Nothing accepted was lost, and the model answers again."""
        return self.recovery_s is not None and self.arrived == self.accepted

    def report(self) -> dict[str, Any]:
        """As JSON; `asdict` cannot copy a Counter on Python 3.11."""
        return {
            "target": self.target,
            "rankings": dict(self.rankings),
            "accepted": self.accepted,
            "refused": self.refused,
            "arrived": self.arrived,
            "recovery_s": self.recovery_s,
            "good": self.good,
        }


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", default="1000", help="size of the grocery catalogue")
    parser.add_argument("--only", help="one target by name")
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as state:
        outcomes = []
        for stack in run_stack(Path(state), free_port(), "--items", options.items):
            for target, pattern in TARGETS.items():
                if options.only in (None, target):
                    outcomes.append(kill(stack, target, pattern))
                    console.print(outcomes[-1])
    options.out.mkdir(parents=True, exist_ok=True)
    rows = [outcome.report() for outcome in outcomes]
    (options.out / "kills.json").write_text(json.dumps(rows, indent=2) + "\n")
    show(console, outcomes)
    return 0 if all(outcome.good for outcome in outcomes) else 1


def kill(stack: RunningStack, target: str, pattern: str) -> Outcome:
    """Post and rank, kill, go on until the model answers again; then count what arrived."""
    outcome = Outcome(target)
    user = f"killed-{uuid.uuid4().hex}"
    stop = threading.Event()
    poster = threading.Thread(target=post_events, args=(stack, user, outcome, stop))
    poster.start()
    time.sleep(2)
    victim = find(stack, pattern)
    outcome.victim = " ".join(victim.cmdline())[:120]
    victim.send_signal(signal.SIGKILL)
    killed_s = time.monotonic()
    steady = 0
    while steady < 20 and time.monotonic() - killed_s < RECOVERY_S:
        route = ranked(stack)
        outcome.rankings[route] += 1
        steady = steady + 1 if route == "model" else 0
        if steady == 1:
            first_s = time.monotonic() - killed_s
        time.sleep(0.1)
    if steady >= 20:
        outcome.recovery_s = round(first_s, 2)
    time.sleep(1)
    stop.set()
    poster.join()
    deadline_s = time.monotonic() + 30
    while outcome.arrived != outcome.accepted and time.monotonic() < deadline_s:
        time.sleep(0.2)
        outcome.arrived = interactions(stack, user)
    return outcome


def find(stack: RunningStack, pattern: str) -> psutil.Process:
    """The process of the stack whose command line holds `pattern`."""
    for process in stack.processes():
        try:
            if pattern in " ".join([*process.cmdline(), process.name()]):
                return process
        except psutil.NoSuchProcess:
            continue
    raise LookupError(f"no process with {pattern!r}")


def post_events(stack: RunningStack, user: str, outcome: Outcome, stop: threading.Event) -> None:
    """One event a time, each sent again until an answer tells what became of it.

    A post without an answer may have been stored: the same event_id is sent again, as a storefront
    should, and a duplicate counts as accepted.
    """
    item_id = stack.sample["item_ids"][0]
    with httpx.Client(headers={"authorization": "Bearer dev"}, timeout=5) as client:
        while not stop.is_set():
            event = {
                "event_id": uuid.uuid4().hex, "type": "click", "user_id": user,
                "item_id": item_id, "at": datetime.now(UTC).isoformat(),
            }  # fmt: skip
            while not send(client, stack.url, event):
                outcome.refused += 1
                time.sleep(0.1)
            outcome.accepted += 1
            time.sleep(0.02)


def send(client: httpx.Client, url: str, event: dict[str, Any]) -> bool:
    """Whether the event was taken, now or before."""
    try:
        answer = client.post(f"{url}/v1/events", json={"events": [event]})
        taken = answer.json() if answer.status_code == 202 else {}
        return bool(taken.get("accepted", 0) + taken.get("duplicates", 0))
    except (httpx.HTTPError, ValueError):
        return False


def ranked(stack: RunningStack) -> str:
    """The route of one ranking, or "failed"."""
    body = {
        "user_id": stack.sample["user_id"],
        "candidates": [{"item_id": item_id} for item_id in stack.sample["item_ids"]],
    }
    try:
        answer = httpx.post(
            f"{stack.url}/v1/rank", json=body, headers={"authorization": "Bearer dev"}, timeout=5
        )
        return str(answer.json()["route"]) if answer.status_code == 200 else "failed"
    except (httpx.HTTPError, ValueError):
        return "failed"


def interactions(stack: RunningStack, user: str) -> int:
    """How many events of `user` are in the features."""
    try:
        answer = stack.client.get(f"/v1/users/{user}/features")
        return int(answer.json().get("interactions", 0)) if answer.status_code == 200 else -1
    except (httpx.HTTPError, ValueError):
        return -1


def show(console: Console, outcomes: list[Outcome]) -> None:
    """The table."""
    table = Table("killed", "rankings meanwhile", "model again after", "events", title="kill -9")
    for each in outcomes:
        table.add_row(
            each.target,
            ", ".join(f"{n} {route}" for route, n in each.rankings.most_common()),
            "never" if each.recovery_s is None else f"{each.recovery_s:.1f} s",
            f"{each.arrived} of {each.accepted} accepted, {each.refused} to be sent again",
            style=None if each.good else "red",
        )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
