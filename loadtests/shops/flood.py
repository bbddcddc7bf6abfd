"""A shop that is flooded, and what another one has of it.

    python -m loadtests.shops.flood [--rate 10] [--flood 200] [--rounds 3]

Starts a stack with two shops beside the default one. One is asked for rankings at a steady rate, at
random times, in turns: alone; while the other is asked as often; while the other is flooded; and,
for comparison, while the same flood comes to it itself, with another key: of one shop, who comes
first is served first. Prints its latency in each, and writes build/reports/flood.json.
"""

import argparse
import json
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from features.telemetry.progress import tracked
from loadtests.bench.clients import Answers, Endpoint, open_loop
from loadtests.shops.filling import added, another_key, candidates, is_encoded, shop_client, until
from loadtests.stack import RunningStack, fresh_state, run_stack
from serving.local.machine import free_port

DATA = "grocery"
N_ITEMS = 200
_WARM_S = 5.0
_LONGER_S = 3.0  # a flood is there before the first request that counts, and after the last


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.shops.flood", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rate", type=float, default=10.0, help="of the shop that is measured, /s")
    parser.add_argument("--flood", type=float, default=200.0, help="of the flooded shop, /s")
    parser.add_argument("--weight", type=float, default=1.0, help="of the shop that is measured")
    parser.add_argument("--limit", type=float, help="rate_per_s of the flooded shop: the floor")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each turn")
    parser.add_argument("--out", type=Path, default=Path("build/reports/flood.json"))
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    report: dict[str, Any] = {}
    for stack in run_stack(fresh_state(DATA, 1_000), free_port()):
        report = measured(stack, given, console)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(report, indent=1) + "\n")
    _show(report, console)
    return 0


def measured(stack: RunningStack, given: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Figures of each condition, over all rounds, as JSON."""
    operator, weight = stack.client, {"weight": given.weight}
    quiet, _ = added(stack.url, operator, "quiet", N_ITEMS, 1, weight)
    noisy, _ = added(stack.url, operator, "noisy", N_ITEMS, 2)
    second = another_key(operator, "quiet", "another")
    with shop_client(stack.url, second) as client:
        until(lambda: client.get("/v1/status").status_code == 200)
    for key in (quiet, noisy):
        with shop_client(stack.url, key) as client:
            until(lambda client=client: is_encoded(client, N_ITEMS))
    asked, other = _ranking(stack.url, quiet), _ranking(stack.url, noisy)
    own = _ranking(stack.url, second)
    if given.limit is not None:  # now, for it would have held up the filling
        operator.put("/v1/shops/noisy", json={"rate_per_s": given.limit}).raise_for_status()
    seconds = given.seconds
    conditions: dict[str, Callable[[], AbstractContextManager[Any]]] = {
        "alone": nullcontext,
        "beside another": lambda: _beside(other, given.rate, seconds),
        "the other is flooded": lambda: _beside(other, given.flood, seconds),
        "flooded itself": lambda: _beside(own, given.flood, seconds),
    }
    open_loop(asked, given.rate, _WARM_S, 0)
    found: dict[str, list[Answers]] = {name: [] for name in conditions}
    others: dict[str, list[dict[str, Any]]] = {name: [] for name in conditions}
    turns = [(number, name) for number in range(given.rounds) for name in conditions]
    for number, name in tracked(turns, "turns", console):
        with conditions[name]() as told:
            found[name].append(open_loop(asked, given.rate, seconds, number))
        if told is not None:
            others[name].append(told.get())
    return {
        "rate": given.rate, "flood": given.flood, "weight": given.weight, "seconds": seconds,
        "conditions": {name: _figures(found[name], others[name]) for name in conditions},
    }  # fmt: skip


def _ranking(url: str, key: str) -> Endpoint:
    """Of items for a query: the model ranks them."""
    body = {"candidates": candidates(url, key), "query": "fresh milk"}
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return Endpoint(f"{url}/v1/rank", headers, _Always(body), _route)


class _Always:
    """A body that can be sent to another process."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body

    def __call__(self) -> dict[str, Any]:
        return self._body


def _route(answer: dict[str, Any]) -> str:
    return f"{answer['route']}: {answer['reason']}" if answer.get("reason") else answer["route"]


@contextmanager
def _beside(endpoint: Endpoint, per_s: float, seconds: float) -> Iterator[Any]:
    """Another process asks meanwhile; yields a queue that then has what became of it."""
    context = multiprocessing.get_context("spawn")
    told: Any = context.Queue()
    process = context.Process(target=_ask, args=(endpoint, per_s, seconds + 2 * _LONGER_S, told))
    process.start()
    try:
        told.get(timeout=120)  # it is there
        yield told
        process.join(120)
        assert process.exitcode == 0, "the other shop was not asked to the end"
    finally:
        if process.is_alive():
            process.terminate()


def _ask(endpoint: Endpoint, per_s: float, seconds: float, told: Any) -> None:
    open_loop(endpoint, per_s, _LONGER_S, 98)
    told.put("asks")
    told.put(open_loop(endpoint, per_s, seconds, 99).figures())


def _figures(answers: list[Answers], others: list[dict[str, Any]]) -> dict[str, Any]:
    latencies = np.concatenate([each.latencies_ms for each in answers])
    kinds: dict[str, int] = {}
    for each in answers:
        for kind, n in each.kinds.items():
            kinds[kind] = kinds.get(kind, 0) + n
    return {
        "n": len(latencies),
        "p50_ms": float(np.quantile(latencies, 0.5)),
        "p99_ms": float(np.quantile(latencies, 0.99)),
        "p99_ms_by_round": [each.figures()["p99_ms"] for each in answers],
        "refused": sum(each.refused for each in answers),
        "answers": kinds,
        "other_per_s": float(np.mean([each["per_s"] for each in others])) if others else 0.0,
        "other_refused": sum(each["refused"] for each in others),
    }


def _show(report: dict[str, Any], console: Console) -> None:
    table = Table("", "p50, ms", "p99, ms", "by round", "refused", "answers", "the other: /s")
    for name, each in report["conditions"].items():
        rounds = ", ".join(f"{ms:.0f}" for ms in each["p99_ms_by_round"])
        answers = ", ".join(f"{kind} {n}" for kind, n in each["answers"].items())
        table.add_row(
            name, f"{each['p50_ms']:.1f}", f"{each['p99_ms']:.1f}", rounds, str(each["refused"]),
            answers, f"{each['other_per_s']:.0f}",
        )  # fmt: skip
    console.print(table)
    alone, flooded = (report["conditions"][name] for name in ("alone", "the other is flooded"))
    console.print(f"p99 beside a flood: {flooded['p99_ms'] / alone['p99_ms']:.2f} of that alone")


if __name__ == "__main__":
    sys.exit(main())
