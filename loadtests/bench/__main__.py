"""`make bench`: our ranker, a plain cross-encoder and a peer, in one run on the same processors.

Five parts: scoring alone; over HTTP with one and more clients, beside Infinity on the same weights
and texts; under and over the capacity; the platform's share, with a model that scores nothing, and
an empty Serve graph as its floor; and what grows with catalogue and shoppers. One part after the
other: nothing of ours runs beside what is measured.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from features.behavior.replay import item_table
from features.datasets.registry import load
from loadtests.bench.clients import Endpoint, closed_loop, open_loop
from loadtests.bench.constant import constant_scores
from loadtests.bench.empty_graph import empty_graph
from loadtests.bench.growth import grown, shoppers
from loadtests.bench.infinity import MODEL_NAME, cross_encoder_folder, infinity, memory_mib
from loadtests.bench.kernel import Kernels, Speed
from loadtests.bench.report import Json, show, write
from loadtests.bench.texts import Asked, Texts
from loadtests.load.__main__ import fresh_state
from loadtests.load.shop import Shop
from loadtests.stack import RunningStack, run_stack
from serving.local.models import DEMO_BUNDLE, RUNNING, tokenizer_path
from serving.local.processes import free_port
from serving.local.state_folder import folder_of, prepared
from serving.training.publish.repository import version_in_use

DATA = "grocery"
N_ITEMS = 2_000
SIZES = (10, 50, 100, 300, 1_000)
CLIENTS = (1, 8, 32)
MAIN = 100  # candidates of the headline figures
CROSS = "cross-encoder, int8"
LOADS = (0.7, 1.0, 2.0)  # shares of the peak
BUDGET_MS = 500  # the default of a request
LATE_MS = 50  # of the way back and of the caller itself
SETTLE_S = 60.0
IDLE_CORES = 0.4
INFINITY_S = 30.0  # a cell of Infinity's would take longer than this: left out, and said


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


def kernel(
    folder: Path, texts: Texts, sizes: tuple[int, ...], options: argparse.Namespace
) -> list[Json]:
    """Both kernels at each number of candidates."""
    number = version_in_use(folder / "models", "ranker")
    with np.load(DEMO_BUNDLE / "held_out.npz") as held_out:
        features = held_out["FEATURES"]
    version = folder / "models" / "ranker" / str(number)
    kernels = Kernels(version, tokenizer_path(), features, texts, options.threads)
    out = []
    for n in sizes:
        found = kernels.compare(n, rounds=5 if options.quick or n == max(SIZES) else 15)
        times = [b.wall_ms / a.wall_ms for a, b in zip(found["ours"], found[CROSS], strict=True)]
        row: Json = {"candidates": n, "times": float(np.median(times))}
        out.append(row | {name: _speed(each, n) for name, each in found.items()})
    return out


def ours(
    stack: RunningStack, texts: Texts, sizes: tuple[int, ...], options: argparse.Namespace
) -> list[Json]:
    """`/v1/rank` at each number of candidates, and with more clients at the main one."""
    seconds = 5.0 if options.quick else 10.0
    user_id = stack.sample["user_id"]
    closed_loop(_rank(stack.url, user_id, texts, MAIN), 4, seconds)  # warms up
    cells = [(n, 1) for n in sizes] + [(MAIN, clients) for clients in CLIENTS[1:]]
    return [
        _cell("vitrine", n, clients, _rank(stack.url, user_id, texts, n), seconds)
        for n, clients in cells
    ]


def settle(stack: RunningStack) -> None:
    """Wait until the stack does nothing: after its start it still indexes the catalogue."""
    processes = stack.processes()
    deadline_s = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline_s:
        before = sum(sum(each.cpu_times()[:2]) for each in processes)
        time.sleep(2.0)
        spent_s = sum(sum(each.cpu_times()[:2]) for each in processes) - before
        if spent_s < 2.0 * IDLE_CORES:
            return


def loaded(
    stack: RunningStack, texts: Texts, cells: list[Json], options: argparse.Namespace
) -> list[Json]:
    """At shares of the most that closed callers got, with the budget that callers have by default.

    Good are answers within the budget, from the time at which a request was due.
    """
    seconds = 8.0 if options.quick else 20.0
    peak = max(cell["per_s"] for cell in cells if cell["candidates"] == MAIN)
    endpoint = _rank(stack.url, stack.sample["user_id"], texts, MAIN, budget_ms=BUDGET_MS)
    rows = []
    for share in LOADS:
        found = open_loop(endpoint, share * peak, seconds, options.seed)
        good = sum(ms <= BUDGET_MS + LATE_MS for ms in found.latencies_ms)
        row = {"share": share, "asked_per_s": share * peak, "good_per_s": good / found.spent_s}
        rows.append(row | found.figures())
        time.sleep(2.0)
    return rows


def platform(stack: RunningStack, texts: Texts, options: argparse.Namespace) -> list[Json]:
    """The same with a model that scores nothing."""
    seconds = 5.0 if options.quick else 10.0
    triton_url = json.loads((stack.folder / RUNNING).read_text())["triton_url"]
    endpoint = _rank(stack.url, stack.sample["user_id"], texts, MAIN)
    with constant_scores(stack.folder / "models", triton_url):
        closed_loop(endpoint, 4, 2.0)
        return [
            _cell("vitrine, constant scores", MAIN, clients, endpoint, seconds)
            for clients in CLIENTS
        ]


def serve_alone(texts: Texts, options: argparse.Namespace) -> list[Json]:
    """An empty graph of our shape: the floor under the platform's share."""
    with empty_graph() as url:
        endpoint = _rank(url, "nobody", texts, MAIN)
        closed_loop(endpoint, 4, 2.0)
        return [
            _cell("Ray Serve, empty graph", MAIN, clients, endpoint, 5.0) for clients in CLIENTS
        ]


@contextmanager
def peer(out: Path) -> Iterator[Any]:
    """Infinity with a cross-encoder of our size."""
    with tempfile.TemporaryDirectory() as made:
        model = cross_encoder_folder(Path(made) / "cross-encoder")
        with infinity(model, Path(made) / "infinity.log") as running:
            yield running


def its(url: str, texts: Texts, sizes: tuple[int, ...], options: argparse.Namespace) -> list[Json]:
    """Infinity's `/rerank` at the same sizes; a cell that would take too long is left out."""
    closed_loop(_rerank(url, texts, 10), 1, 1.0)
    out: list[Json] = []
    for n in sizes:
        cell = _cell("infinity", n, 1, _rerank(url, texts, n), 5.0)
        out.append(cell)
    one_s = next(cell["p50_ms"] for cell in out if cell["candidates"] == MAIN) / 1000
    for clients in CLIENTS[1:]:
        if not options.quick and clients * one_s < INFINITY_S:
            endpoint = _rerank(url, texts, MAIN)
            out.append(_cell("infinity", MAIN, clients, endpoint, 0.0, at_least=1))
    return out


def bars(report: Json) -> Json:
    """The ratios that count, each within this one run, and what they should be."""
    cells = {(c["who"], c["candidates"], c["clients"]): c for c in report["http"]}
    rank = cells["vitrine", MAIN, 1]["p50_ms"]
    constant = [c for c in report["http"] if c["who"] == "vitrine, constant scores"]
    found: dict[str, tuple[float, str, float]] = {
        "throughput of scoring 100, times the plain int8 cross-encoder's": (
            next(row["times"] for row in report["kernel"] if row["candidates"] == MAIN), ">=", 30),
        "/v1/rank of 100, one client, p50 ms": (rank, "<=", 25),
        "Infinity's p50 of 100 over ours": (
            cells["infinity", MAIN, 1]["p50_ms"] / rank, ">=", 40),
        "platform's share, p50 ms": (constant[0]["p50_ms"], "<=", 5),
        "rankings/s with constant scores": (max(c["per_s"] for c in constant), ">=", 500),
    }  # fmt: skip
    for row in report["load"]:
        if row["share"] == LOADS[0]:
            found["p99 at 70 % of the peak over the idle p50"] = (row["p99_ms"] / rank, "<=", 4)
        if row["share"] == LOADS[-1]:
            peak = row["asked_per_s"] / row["share"]
            found["good answers at 200 % of the peak, share of the peak"] = (
                row["good_per_s"] / peak,
                ">=",
                0.9,
            )
    if ("vitrine", 1_000, 1) in cells:
        thousand = cells["vitrine", 1_000, 1]["p50_ms"]
        found["/v1/rank of 1,000 over 100"] = (thousand / rank, "<=", 5)
    if "catalogue" in report:
        small, large = report["catalogue"][0], report["catalogue"][-1]
        started = ("item_states_s", "catalogue_s", "lexical_index_s")
        found["item states of 200,000 items, MiB"] = (large["item_states_mib"], "<=", 400)
        found["start with 200,000 items, seconds more than with 2,000"] = (
            sum(large[name] - small[name] for name in started), "<=", 60)  # fmt: skip
    return {
        name: {
            "value": value,
            "bar": f"{sign} {limit}",
            "met": value <= limit if sign == "<=" else value >= limit,
        }
        for name, (value, sign, limit) in found.items()
    }


def _texts(state: Path, seed: int) -> Texts:
    ready = prepared(folder_of(state, DATA))
    dataset = load(DATA, state / "datasets", ready.n_items if ready else N_ITEMS)
    table, shop = item_table(dataset), Shop.of(dataset)
    rows = table.rows(shop.item_ids).tolist()
    texts = [table.items[row].ranker_text for row in rows]
    return Texts(shop.item_ids, texts, shop.queries, seed)


def _rank(url: str, user_id: str, texts: Texts, n: int, budget_ms: int = 5_000) -> Endpoint:
    def body() -> Json:
        asked = texts.ask(n)
        candidates = [{"item_id": texts.item_ids[row]} for row in asked.candidates]
        return {
            "user_id": user_id,
            "query": asked.query,
            "candidates": candidates,
            "budget_ms": budget_ms,
        }

    headers = {"authorization": "Bearer dev"}
    return Endpoint(f"{url}/v1/rank", headers, body, _kind)


def _kind(answer: Json) -> str:
    """The route, and why it was taken: an empty graph gives no reason."""
    reason = answer.get("reason")
    return f"{answer['route']}, {reason}" if reason else str(answer["route"])


def _rerank(url: str, texts: Texts, n: int) -> Endpoint:
    def body() -> Json:
        asked: Asked = texts.ask(n)
        documents = [texts.texts[row] for row in asked.candidates]
        return {"query": texts.context(asked), "documents": documents, "model": MODEL_NAME}

    return Endpoint(f"{url}/rerank", {}, body, lambda _: "reranked")


def _cell(
    who: str, n: int, clients: int, endpoint: Endpoint, seconds: float, at_least: int = 3
) -> Json:
    found = closed_loop(endpoint, clients, seconds, at_least).figures()
    return {"who": who, "candidates": n, "clients": clients, **found}


def _speed(speeds: list[Speed], n: int) -> Json:
    wall = [speed.wall_ms for speed in speeds]
    cpu_s = sum(speed.cpu_ms for speed in speeds) / 1000
    return {
        "p50_ms": float(np.median(wall)),
        "p99_ms": float(np.quantile(wall, 0.99)),
        "pairs_per_cpu_s": n * len(speeds) / cpu_s,
    }


if __name__ == "__main__":
    sys.exit(main())
