"""Two shops, every operation, ten thousand names each: nothing of one reaches the other.

    python -m loadtests.isolation [--names 10000] [--replicas 1] [--url http://127.0.0.1:8000]

Starts a stack, adds two shops, and asks with the key of each for all that the other has, as it is
and bent. Prints what was asked and found, writes build/reports/isolation.json, and ends with 1 when
anything leaked or changed.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from features.telemetry.progress import StepProgress
from loadtests.isolation.fuzz import fuzzed
from loadtests.isolation.judging import Findings
from loadtests.isolation.operations import ROUNDS
from loadtests.isolation.proof import ask
from loadtests.isolation.shops import OwnShop, added
from loadtests.stack import fresh_state, run_stack
from serving.local.machine import free_port

DATA = "grocery"


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.isolation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--names", type=int, default=10_000, help="of each shop")
    parser.add_argument("--items", type=int, default=500, help="that each shop sells")
    parser.add_argument("--url", help="of a running stack, else one is started")
    parser.add_argument("--replicas", type=int, default=1, help="of the ingress, where it is")
    parser.add_argument("--key", default="dev", help="with the scope shops")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("build/reports/isolation.json"))
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    with _operator(given) as operator:
        report = prove(operator, given.names, given.items, given.seed, console)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(report, indent=1) + "\n")
    _show(report, console)
    return 0 if report["leaks"] == report["differences"] == report["changes"] == [] else 1


def prove(
    operator: httpx.Client, n_names: int, n_items: int, seed: int, console: Console
) -> dict[str, Any]:
    """What was asked and found, as JSON."""
    started_s = time.monotonic()
    with (
        added(operator, "proof-one", n_items, seed) as one,
        added(operator, "proof-two", n_items, seed + 1) as two,
    ):
        report: dict[str, Any] = {
            "names": n_names, "operations": {}, "leaks": [], "differences": [], "changes": [],
        }  # fmt: skip
        for own, other in ((one, two), (two, one)):
            _take(report, own, other, _asked(own, other, n_names, seed, console, report))
    return {**report, "seconds": round(time.monotonic() - started_s, 1)}


def _asked(
    own: OwnShop, other: OwnShop, n: int, seed: int, console: Console, report: dict[str, Any]
) -> Findings:
    before = other.snapshot()
    names = fuzzed(other, own, n, seed)
    with StepProgress(console, transient=False) as progress:
        total = len(ROUNDS) * len(names)
        task = progress.add_task(f"{own.name} asks for {other.name}'s", total=total)
        findings = ask(own, other, names, told=lambda n: progress.advance(task, n))
    own.settled()
    after = other.snapshot()
    report["changes"] += [
        f"{other.name}: {name} changed" for name in before if before[name] != after[name]
    ]
    return findings


def _take(report: dict[str, Any], own: OwnShop, other: OwnShop, findings: Findings) -> None:
    report["leaks"] += [f"{own.name}: {each}" for each in findings.leaks]
    report["differences"] += [f"{own.name}: {each}" for each in findings.differences]
    for operation, count in findings.requests.items():
        entry = report["operations"].setdefault(operation, {"requests": 0, "names": {}})
        entry["requests"] += count
        for status, names in findings.names[operation].items():
            entry["names"][str(status)] = entry["names"].get(str(status), 0) + names


@contextmanager
def _operator(given: argparse.Namespace) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {given.key}"}
    if given.url:
        with httpx.Client(base_url=given.url, headers=headers, timeout=30) as client:
            yield client
        return
    state = fresh_state(DATA, 1_000)
    for stack in run_stack(state, free_port(), "--replicas", str(given.replicas)):
        yield stack.client


def _show(report: dict[str, Any], console: Console) -> None:
    table = Table("operation", "requests", "names by answer")
    for operation, entry in report["operations"].items():
        statuses = ", ".join(f"{status}: {n:,}" for status, n in sorted(entry["names"].items()))
        table.add_row(operation, f"{entry['requests']:,}", statuses)
    console.print(table)
    for kind in ("leaks", "differences", "changes"):
        console.print(f"{kind}: {len(report[kind])}", *report[kind][:10], sep="\n  ", markup=False)
    console.print(f"{report['seconds']:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
