"""Processor time of a ranking, by process, of one or several versions of the code in turns.

    python -m loadtests.ranking_cost --tree . --tree ../before --floor

Starts a stack for each tree (a checkout with an environment beside it), and with --floor an empty
Serve graph of the same shape. All stand from the beginning to the end; rounds of load go from one
to the next, so that whatever else the machine does falls on all of them. What a stack uses while
nobody asks it is measured as well. Prints tables and writes build/reports/ranking-cost.json.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from features.behavior.replay import item_table
from features.datasets.registry import load
from features.telemetry.progress import tracked
from loadtests.bench.__main__ import settle
from loadtests.bench.clients import Answers, Endpoint, closed_loop
from loadtests.bench.constant import constant_scores
from loadtests.bench.empty_graph import empty_graph
from loadtests.bench.texts import Texts
from loadtests.load.shop import Shop
from loadtests.memory import short_name
from loadtests.stack import RunningStack, run_stack
from serving.local.machine import free_port
from serving.local.models import ROOT, RUNNING

DATA = "grocery"
FLOOR = "empty graph"
KINDS = ("rank", "rank-query", "search", "recommend")


@dataclass(slots=True)
class Measured:
    """One system: where it is asked, and what its rounds were.

    cpu_s: of each process name, over all rounds; idle_cpus: processors used while nobody asks.
    """

    name: str
    endpoint: Endpoint
    top: psutil.Process
    idle_cpus: dict[str, float] = field(default_factory=dict)
    memory_mib: float = 0.0
    names: dict[int, str] = field(default_factory=dict)
    rounds: list[Answers] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)
    total_ms: list[float] = field(default_factory=list)  # of each round, for each ranking

    def ask(self, clients: int, seconds: float) -> None:
        """One round."""
        before = cpu_s_by_pid(self.top)
        answers = closed_loop(self.endpoint, clients, seconds)
        spent = self.spent_since(before)
        self.rounds.append(answers)
        self.total_ms.append(1e3 * sum(spent.values()) / len(answers.latencies_ms))
        for name, s in spent.items():
            self.cpu_s[name] = self.cpu_s.get(name, 0.0) + s

    def spent_since(self, before: dict[int, float]) -> dict[str, float]:
        """Seconds of processor time by what a process is: its first name, for Ray changes it."""
        spent: dict[str, float] = {}
        for pid, s in cpu_s_by_pid(self.top).items():
            if pid not in self.names:
                self.names[pid] = short_name(psutil.Process(pid))
            name = self.names[pid]
            spent[name] = spent.get(name, 0.0) + s - before.get(pid, 0.0)
        return spent

    def report(self) -> dict[str, Any]:
        """Medians over the rounds; processor time in ms for each ranking."""
        n = sum(len(answers.latencies_ms) for answers in self.rounds)
        figures = [answers.figures() for answers in self.rounds]
        kinds: dict[str, int] = {}
        for answers in self.rounds:
            for kind, count in answers.kinds.items():
                kinds[kind] = kinds.get(kind, 0) + count
        return {
            "name": self.name, "rankings": n, "answers": kinds,
            "cpu_ms": float(np.median(self.total_ms)), "cpu_ms_by_round": self.total_ms,
            "cpu_ms_by_process": {
                name: 1e3 * s / n for name, s in sorted(self.cpu_s.items(), key=lambda e: -e[1])
            },
            "idle_cpus": sum(self.idle_cpus.values()), "idle_cpus_by_process": self.idle_cpus,
            "memory_mib": self.memory_mib,
        } | {
            name: float(np.median([figure[name] for figure in figures]))
            for name in ("per_s", "p50_ms", "p99_ms", "callers_cpus")
        }  # fmt: skip


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.ranking_cost", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--tree", type=Path, action="append", help="default: this one")
    parser.add_argument("--floor", action="store_true", help="an empty Serve graph as well")
    parser.add_argument("--kind", choices=KINDS, default="rank")
    parser.add_argument("--constant", action="store_true", help="a model that scores nothing")
    parser.add_argument("--shoppers", type=int, default=1, help="who ask in turn, 2,000 at most")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=6.0, help="of a round")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("build/reports/ranking-cost.json"))
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    with ExitStack() as standing:
        systems = [
            standing.enter_context(_of_tree(tree.resolve(), given)) for tree in given.tree or [ROOT]
        ]
        if given.floor:
            systems.append(standing.enter_context(_floor(given, systems[0])))
        for system in systems:
            closed_loop(system.endpoint, given.clients, 2 * given.seconds)
        for system in systems:
            system.idle_cpus = _idle_cpus(system)
        for _ in tracked(range(given.rounds), "rounds", console):
            for system in systems:
                system.ask(given.clients, given.seconds)
        report = [system.report() for system in systems]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(report, indent=2) + "\n")
    _show(report, console)
    return 0


@contextmanager
def _of_tree(tree: Path, given: argparse.Namespace) -> Iterator[Measured]:
    """The stack of a tree, with a state of its own that is prepared once."""
    state = Path(f"build/load/cost-{tree.name}-{given.items}").resolve()
    options = ("--data", DATA, "--items", str(given.items))
    for stack in run_stack(state, free_port(), *options, root=tree):
        settle(stack)
        endpoint = _endpoint(stack, _asked(state, given), given)
        system = Measured(str(tree), endpoint, psutil.Process(stack.process.pid))
        system.memory_mib = sum(
            process.memory_full_info().pss / 2**20 for process in stack.processes()
        )
        if given.constant:
            triton_url = json.loads((stack.folder / RUNNING).read_text())["triton_url"]
            with constant_scores(stack.folder / "models", triton_url):
                yield system
        else:
            yield system


@contextmanager
def _floor(given: argparse.Namespace, like: Measured) -> Iterator[Measured]:
    known = set(psutil.Process().children())
    with empty_graph() as url:
        (top,) = set(psutil.Process().children()) - known
        asked = like.endpoint
        yield Measured(FLOOR, Endpoint(f"{url}/v1/rank", {}, asked.body, lambda _: FLOOR), top)


def _endpoint(
    stack: RunningStack, asked: tuple[Texts, list[str]], given: argparse.Namespace
) -> Endpoint:
    """Requests of known shoppers; a query is one that no cache has seen."""
    texts, users = asked
    # One shopper asks again and again; of many, nothing is known from the last time.
    user_ids = cycle(users[: given.shoppers] if given.shoppers > 1 else [stack.sample["user_id"]])

    def body() -> dict[str, Any]:
        asking: dict[str, Any] = {"user_id": next(user_ids), "budget_ms": 5_000}
        if given.kind == "recommend":
            return asking | {"limit": 24}
        request = texts.ask(given.candidates)
        if given.kind == "search":
            return asking | {"query": request.query, "limit": 24}
        asking["candidates"] = [{"item_id": texts.item_ids[row]} for row in request.candidates]
        return asking | ({"query": request.query} if given.kind == "rank-query" else {})

    headers = {"authorization": "Bearer dev"}
    url = f"{stack.url}/v1/{given.kind.partition('-')[0]}"
    return Endpoint(url, headers, body, _kind)


def _kind(answer: dict[str, Any]) -> str:
    return ", ".join(str(answer[name]) for name in ("route", "reason") if answer.get(name))


def _asked(state: Path, given: argparse.Namespace) -> tuple[Texts, list[str]]:
    """Texts to ask with, and known shoppers."""
    dataset = load(DATA, state / "datasets", given.items)
    table, shop = item_table(dataset), Shop.of(dataset)
    rows = table.rows(shop.item_ids).tolist()
    texts = [table.items[row].ranker_text for row in rows]
    return Texts(shop.item_ids, texts, shop.queries, given.seed), shop.user_ids


def cpu_s_by_pid(top: psutil.Process) -> dict[int, float]:
    """Seconds of processor time so far of `top` and of all that it started."""
    spent: dict[int, float] = {}
    for process in [top, *top.children(recursive=True)]:
        with suppress(psutil.Error):
            times = process.cpu_times()
            spent[process.pid] = times.user + times.system
    return spent


def _idle_cpus(system: Measured, seconds: float = 10.0) -> dict[str, float]:
    before = cpu_s_by_pid(system.top)
    time.sleep(seconds)
    return {name: s / seconds for name, s in system.spent_since(before).items()}


def _show(report: Sequence[dict[str, Any]], console: Console) -> None:
    table = Table("", *(Path(row["name"]).name for row in report), title="Of each ranking")
    for name, form in (
        ("per_s", "{:.0f}"), ("p50_ms", "{:.1f}"), ("p99_ms", "{:.1f}"), ("cpu_ms", "{:.2f}"),
        ("callers_cpus", "{:.2f}"), ("idle_cpus", "{:.3f}"), ("memory_mib", "{:.0f}"),
    ):  # fmt: skip
        table.add_row(name, *(form.format(row[name]) for row in report))
    names = dict.fromkeys(name for row in report for name in row["cpu_ms_by_process"])
    for name in names:
        values = [row["cpu_ms_by_process"].get(name) for row in report]
        if max(value or 0.0 for value in values) >= 0.01:
            told = ["" if value is None else f"{value:.2f}" for value in values]
            table.add_row(f"cpu_ms {name}", *told)
    console.print(table)
    for row in report:
        console.print(f"{Path(row['name']).name}: {row['answers']}", markup=False)
    first = np.array(report[0]["cpu_ms_by_round"])
    for row in report[1:]:
        ratio = np.median(first / np.array(row["cpu_ms_by_round"]))
        line = f"{Path(report[0]['name']).name} takes {ratio:.2f} times the time of {row['name']}"
        console.print(line, markup=False)


if __name__ == "__main__":
    sys.exit(main())
