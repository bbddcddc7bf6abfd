"""What tracing costs: throughput and processor time of rankings at 1 % and at 100 % sampled.

`make trace-cost` starts two stacks of its own: one that traces what the caller samples and sends it
to a collector (a process of its own), and one without tracing. Short blocks of closed-loop load
alternate in random order, so that each round compares neighbours in time. Ratios are to the same
stack with nothing sampled: two stacks of one machine differ by more than tracing costs, so the row
"off" tells only that nothing is far wrong. Prints the ratios with their 95 % intervals and writes
build/reports/tracing-cost.json.
"""

import argparse
import json
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from multiprocessing import Process, Queue
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from loadtests.stack import RunningStack, run_stack
from serving.local.machine import free_port
from serving.local.traces.viewer import TraceViewer
from serving.training.quality import interval

SHARES = {"off": 0.0, "0 %": 0.0, "1 %": 0.01, "100 %": 1.0}  # of requests that are sampled
BARS = {"1 %": 0.98, "100 %": 0.90}  # of the throughput with nothing sampled
CLIENTS = 8


@dataclass(frozen=True, slots=True)
class Block:
    """One block of load: rankings a second, and processor milliseconds of the stack for each."""

    rate: float
    cpu_ms: float


def main() -> int:
    """The exit status: 1 when a bar was missed, interval and all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a block")
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as made, collector() as otlp_url:
        traced = ("--traces", "otlp", "--traces-to", otlp_url, "--traces-ratio", "0")
        with stack(Path(made) / "off") as off, stack(Path(made) / "on", *traced) as on:
            for warm in (off, on):
                load(warm, 1.0, 10.0)
            blocks: dict[str, list[Block]] = {name: [] for name in SHARES}
            for _ in track(range(options.rounds), "rounds", console=console):
                for name in random.sample(list(SHARES), len(SHARES)):
                    stack_of = off if name == "off" else on
                    blocks[name].append(load(stack_of, SHARES[name], options.seconds))
    rows = report(blocks)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "tracing-cost.json").write_text(json.dumps(rows, indent=2) + "\n")
    table = Table("sampled", "rankings/s", "ratio", "95 %", "CPU ms a ranking", "ratio", "95 %")
    for row in rows:
        table.add_row(
            row["sampled"],
            f"{row['rate']:.1f}",
            *_shown(row["rate_ratio"]),
            f"{row['cpu_ms']:.2f}",
            *_shown(row["cpu_ratio"]),
        )
    console.print(table)
    return 1 if any(row["rate_ratio"][2] < BARS.get(row["sampled"], 0) for row in rows) else 0


def report(blocks: dict[str, list[Block]]) -> list[dict[str, Any]]:
    """Means, and ratios to "0 %": the mean over rounds with its interval."""
    rows = []
    for name, found in blocks.items():
        pairs = list(zip(found, blocks["0 %"], strict=True))
        rows.append(
            {
                "sampled": name,
                "rate": float(np.mean([block.rate for block in found])),
                "rate_ratio": interval(np.array([a.rate / b.rate for a, b in pairs])),
                "cpu_ms": float(np.mean([block.cpu_ms for block in found])),
                "cpu_ratio": interval(np.array([a.cpu_ms / b.cpu_ms for a, b in pairs])),
            }
        )
    return rows


def load(stack: RunningStack, share: float, seconds: float) -> Block:
    """CLIENTS callers who each wait for their answer before they ask again."""
    sample = stack.sample
    candidates = [{"item_id": item_id} for item_id in sample["item_ids"]]
    body = json.dumps({"user_id": sample["user_id"], "candidates": candidates, "budget_ms": 5000})
    before_s, started_s = _cpu_s(stack), time.monotonic()

    def caller(_: int) -> int:
        port = int(stack.url.rsplit(":", 1)[1])
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        n = 0
        while time.monotonic() < started_s + seconds:
            flags = "01" if random.random() < share else "00"
            trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{flags}"
            headers = {"authorization": "Bearer dev", "traceparent": trace}
            connection.request("POST", "/v1/rank", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"a ranking was answered with {answer.status}")
            n += 1
        connection.close()
        return n

    with ThreadPoolExecutor(CLIENTS) as callers:
        n = sum(callers.map(caller, range(CLIENTS)))
    spent_s = time.monotonic() - started_s
    return Block(n / spent_s, 1000 * (_cpu_s(stack) - before_s) / n)


def _cpu_s(stack: RunningStack) -> float:
    total = 0.0
    for process in stack.processes():
        try:
            times = process.cpu_times()
            total += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total


@contextmanager
def stack(state: Path, *options: str) -> Iterator[RunningStack]:
    """A running stack of 1,000 items."""
    yield from run_stack(state, free_port(), "--items", "1000", *options)


@contextmanager
def collector() -> Iterator[str]:
    """The address of a collector in a process of its own, so that its work is nobody else's."""
    url_queue: Queue[str] = Queue()
    process = Process(target=_collect, args=(url_queue,), daemon=True)
    process.start()
    yield url_queue.get(timeout=30)
    process.terminate()
    process.join(10)


def _collect(told: "Queue[str]") -> None:
    viewer = TraceViewer()
    told.put(viewer.otlp_url)
    while True:
        time.sleep(60)


def _shown(ratio: tuple[float, float, float]) -> tuple[str, str]:
    mean, low, high = ratio
    return f"{mean:.3f}", f"{low:.3f}-{high:.3f}"


if __name__ == "__main__":
    sys.exit(main())
