"""Processor time and latency of a composed page against its shelves asked one by one, in turns.

    python -m loadtests.page_cost

One stack; rounds of load go from one way to the other. Prints a table and writes
build/reports/page-cost.json.
"""

import argparse
import json
import sys
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml
from rich.console import Console
from rich.table import Table

from features.datasets.registry import load
from features.telemetry.progress import tracked
from loadtests.bench.__main__ import settle
from loadtests.bench.clients import Endpoint, closed_loop
from loadtests.load.shop import Shop
from loadtests.ranking_cost import DATA, cpu_s_by_pid
from loadtests.stack import fresh_state, run_stack
from serving.local.machine import free_port
from serving.local.state_folder import folder_of

PLACEMENTS: dict[str, Any] = {
    "for_you": {"candidates": {"strategy": "for_you"}},
    "because": {"candidates": {"strategy": "because"}},
    "again": {"candidates": {"strategy": "bought_again"}},
    "popular": {"candidates": {"strategy": "popular"}},
    "new": {"candidates": {"strategy": "new"}},
}
SHELVES = [{"placement": name, "size": 12} for name in PLACEMENTS]
RULES = {"placements": PLACEMENTS, "pages": {"home": {"shelves": SHELVES}}}
WAYS = {"one page": 1, "five calls": len(PLACEMENTS)}  # answers for a view of the page


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.page_cost", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=6.0, help="of a round")
    parser.add_argument("--out", type=Path, default=Path("build/reports/page-cost.json"))
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    state = fresh_state(DATA, given.items)
    (folder_of(state, DATA) / "rules.yaml").write_text(yaml.safe_dump(RULES))
    users = Shop.of(load(DATA, state / "datasets", given.items)).user_ids[:500]
    found: dict[str, dict[str, list[float]]] = {way: {"cpu_ms": [], "p50_ms": []} for way in WAYS}
    for stack in run_stack(state, free_port(), "--data", DATA, "--items", str(given.items)):
        settle(stack)
        top = psutil.Process(stack.process.pid)
        endpoints = {way: _endpoint(stack.url, way, users) for way in WAYS}
        for endpoint in endpoints.values():
            closed_loop(endpoint, given.clients, given.seconds)
        for _ in tracked(range(given.rounds), "rounds", console):
            for way, endpoint in endpoints.items():
                before = cpu_s_by_pid(top)
                answers = closed_loop(endpoint, given.clients, given.seconds)
                spent_s = sum(cpu_s_by_pid(top).values()) - sum(before.values())
                n = WAYS[way]
                found[way]["cpu_ms"].append(1e3 * n * spent_s / len(answers.latencies_ms))
                found[way]["p50_ms"].append(n * answers.figures()["p50_ms"])
                console.print(f"{way}: {dict(answers.kinds)}", markup=False)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=2) + "\n")
    table = Table("for a view of the page", *WAYS, title=f"{len(SHELVES)} shelves of 12 items")
    for name in ("cpu_ms", "p50_ms"):
        table.add_row(name, *(f"{np.median(found[way][name]):.1f}" for way in WAYS))
    console.print(table)
    return 0


def _endpoint(url: str, way: str, users: list[str]) -> Endpoint:
    """The shelves one after the other for each shopper, or the page."""
    asked = cycle([(user, name) for user in users for name in PLACEMENTS])
    pages = cycle(users)

    def body() -> dict[str, Any]:
        if WAYS[way] == 1:
            return {"user_id": next(pages), "budget_ms": 5_000}
        user, name = next(asked)
        return {"user_id": user, "placement": name, "limit": 12, "budget_ms": 5_000}

    path = "pages/home" if WAYS[way] == 1 else "recommend"
    return Endpoint(f"{url}/v1/{path}", {"authorization": "Bearer dev"}, body, _kind)


def _kind(answer: dict[str, Any]) -> str:
    shelves = answer.get("shelves", [answer])
    return "+".join(sorted({str(shelf["route"]) for shelf in shelves}))


if __name__ == "__main__":
    sys.exit(main())
