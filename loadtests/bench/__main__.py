"""`make bench`: our ranker, a plain cross-encoder and a peer, in one run on the same processors.

Five parts: scoring alone; over HTTP with one and more clients, beside Infinity on the same weights
and texts; under and over the capacity; the platform's share, with a model that scores nothing, and
an empty Serve graph as its floor; and what grows with catalogue and shoppers. One part after the
other: nothing of ours runs beside what is measured.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from features.behavior.replay import item_table
from features.datasets.registry import load
from loadtests.bench.bars import bars
from loadtests.bench.growth import grown, shoppers
from loadtests.bench.infinity import cross_encoder_folder, infinity, memory_mib
from loadtests.bench.measurements import (
    MAIN,
    SIZES,
    its,
    kernel,
    loaded,
    ours,
    platform,
    serve_alone,
)
from loadtests.bench.report import Json, show, write
from loadtests.bench.texts import Texts
from loadtests.load.shop import Shop
from loadtests.stack import RunningStack, fresh_state, run_stack
from serving.local.machine import free_port
from serving.local.state_folder import folder_of, prepared

DATA = "grocery"
N_ITEMS = 2_000
SETTLE_S = 60.0
IDLE_CORES = 0.4


def main() -> int:
    """The exit status: 1 when something could not be measured."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="main ratios, under three minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    options = parser.parse_args()
    console = Console()
    report: Json = {"measured_at": datetime.now(UTC).isoformat(), "quick": options.quick}
    state = fresh_state(DATA, N_ITEMS)
    folder = folder_of(state, DATA)
    texts = _texts(state, options.seed)
    sizes = (MAIN,) if options.quick else SIZES
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("scoring alone", total=None)
        report["kernel"] = kernel(folder, texts, sizes, options)
        progress.update(task, description="over HTTP")
        report["http"] = []
        for stack in run_stack(state, free_port(), "--data", DATA):
            settle(stack)
            report["http"] += ours(stack, texts, sizes, options)
            report["load"] = loaded(stack, texts, report["http"], options)
            report["memory_mib"] = {"vitrine, all": memory_mib(stack.processes()[0])}
            progress.update(task, description="the platform alone")
            report["http"] += platform(stack, texts, options)
        progress.update(task, description="Ray Serve alone")
        report["http"] += serve_alone(texts, options)
        progress.update(task, description="Infinity")
        with peer(options.out) as (url, process):
            report["http"] += its(url, texts, sizes, options)
            report["memory_mib"]["infinity"] = memory_mib(process)
        if not options.quick:
            progress.update(task, description="growth")
            report["catalogue"] = [grown(n) for n in (2_000, 20_000, 200_000)]
            report["shoppers"] = shoppers((1_000, 100_000))
    report["bars"] = bars(report)
    show(report, console)
    write(report, options.out, console)
    return 0


def settle(stack: RunningStack) -> None:
    """Wait until the stack does nothing: after its start it still indexes the catalogue."""
    processes = stack.processes()
    deadline_s = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline_s:
        before = sum(sum(process.cpu_times()[:2]) for process in processes)
        time.sleep(2.0)
        spent_s = sum(sum(process.cpu_times()[:2]) for process in processes) - before
        if spent_s < 2.0 * IDLE_CORES:
            return


@contextmanager
def peer(out: Path) -> Iterator[Any]:
    """Infinity with a cross-encoder of our size."""
    with tempfile.TemporaryDirectory() as made:
        model = cross_encoder_folder(Path(made) / "cross-encoder")
        with infinity(model, Path(made) / "infinity.log") as running:
            yield running


def _texts(state: Path, seed: int) -> Texts:
    ready = prepared(folder_of(state, DATA))
    dataset = load(DATA, state / "datasets", ready.n_items if ready else N_ITEMS)
    table, shop = item_table(dataset), Shop.of(dataset)
    rows = table.rows(shop.item_ids).tolist()
    texts = [table.items[row].ranker_text for row in rows]
    return Texts(shop.item_ids, texts, shop.queries, seed)


if __name__ == "__main__":
    sys.exit(main())
