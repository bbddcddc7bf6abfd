"""The model server alone, asked over gRPC as serving asks it.

    python -m loadtests.model_server --repository R --item-texts T

Starts the real Triton over a repository with both models (int8 on the CPU or float16 on a GPU, as
published) and measures: one request at a time by its number of candidates; many requests in one
call, as the serving graph sends them under load; texts that no cache has seen. Prints tables, what
the parity gate found when the version was published, and writes `model_server.json` and `.png`.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from features.catalog.words import query_for
from loadtests.bench.texts import N_ITEM, Jobs, Texts
from serving.local.machine import free_port
from serving.local.model_server import ModelServer
from serving.local.models import GROCERY_BUNDLE, TRITON_PYTHON, tokenizer_path
from serving.models.contract import Tensors
from serving.models.packing import pack
from serving.models.runtime.sealed import check_version
from serving.models.triton import RankerScores, TritonEncoder, TritonRanker
from serving.training.publish.repository import version_in_use
from serving.training.publish.texts import read_texts, tokenize

mpl.use("Agg")
import matplotlib.pyplot as plt

Json = dict[str, Any]
MODELS = ("encoder", "ranker")
SIZES = (10, 50, 100, 300, 1_000)
MAIN = 100
PACKED = (1, 4, 16, 64)  # requests in one call
IN_FLIGHT = 2  # calls: one is computed while the next arrives
ENCODED, N_ENCODED = 256, 32_768  # texts in one call, and at most in all
BUDGET_S = 30.0
ROUNDS, WARM_ROUNDS = 60, 10
PACKED_S = 4.0
N_PACKED = 64 * 60  # requests, asked in at most PACKED_S


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.model_server", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--item-texts", type=Path, required=True, help="JSON lines of strings")
    parser.add_argument("--triton-python", type=Path, default=TRITON_PYTHON)
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    console = Console()
    manifests = {
        model: check_version(
            options.repository / model / str(version_in_use(options.repository, model))
        )
        for model in MODELS
    }
    report: Json = {
        "precision": manifests["ranker"]["precision"],
        "parity": {model: manifest["parity"] for model, manifest in manifests.items()},
    }
    texts = _texts(read_texts(options.item_texts), options.seed)
    with np.load(GROCERY_BUNDLE / "held_out.npz") as held_out:
        jobs = Jobs(tokenizer_path(), held_out["FEATURES"], texts)
    with tempfile.TemporaryDirectory() as state:
        server = ModelServer(
            options.repository,
            Path(state),
            options.triton_python,
            grpc_port=free_port(),
            http_port=free_port(),
            metrics_port=free_port(),
            log=options.out / "model_server.log",
            environment=os.environ,
        )
        started_s = time.monotonic()
        server.start()
        report["start_s"] = time.monotonic() - started_s
        try:
            report |= asyncio.run(_measure(server.grpc_address, jobs, texts))
        finally:
            server.stop()
    _show(report, console)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "model_server.json").write_text(json.dumps(report, indent=1) + "\n")
    _draw(report, options.out / "model_server.png")
    return 0


async def _measure(address: str, jobs: Jobs, texts: Texts) -> Json:
    ranker, encoder = TritonRanker(address), TritonEncoder(address)
    try:
        return {
            "latency": [await _latency(ranker, jobs, texts, n) for n in track(SIZES, "alone")],
            "packed": [await _packed(ranker, jobs, texts, n) for n in track(PACKED, "packed")],
            "encoding": await _encoding(encoder, texts),
        }
    finally:
        await ranker.close()
        await encoder.close()


async def _latency(ranker: TritonRanker, jobs: Jobs, texts: Texts, n: int) -> Json:
    """One request of `n` candidates with a new query, again and again."""
    batches = [pack([jobs.of(texts.ask(n)).tensors]) for _ in range(WARM_ROUNDS + ROUNDS)]
    timings = [await _timed(ranker, batch) for batch in batches][WARM_ROUNDS:]
    wall, model = (np.array(values) for values in zip(*timings, strict=True))
    return {
        "candidates": n,
        "p50_ms": float(np.quantile(wall, 0.5)),
        "p99_ms": float(np.quantile(wall, 0.99)),
        "model_p50_ms": float(np.quantile(model, 0.5)),
    }


async def _packed(ranker: TritonRanker, jobs: Jobs, texts: Texts, n: int) -> Json:
    """Calls of `n` requests of MAIN candidates each, some in flight; every query is a new one."""
    requests = [jobs.of(texts.ask(MAIN)).tensors for _ in range(N_PACKED)]
    calls = [pack(requests[at : at + n]) for at in range(0, len(requests), n)]
    waiting = iter(calls)
    times_ms: list[float] = []
    started_s = time.monotonic()

    async def caller() -> None:
        for batch in waiting:
            if time.monotonic() > started_s + PACKED_S:
                return
            times_ms.append((await _timed(ranker, batch))[0])

    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    spent_s = time.monotonic() - started_s
    return {
        "requests": n,
        "p50_ms": float(np.quantile(times_ms, 0.5)),
        "rankings_per_s": len(times_ms) * n / spent_s,
        "pairs_per_s": len(times_ms) * n * MAIN / spent_s,
    }


async def _encoding(encoder: TritonEncoder, texts: Texts) -> Json:
    """Texts nobody has seen, ENCODED in a call: what a new catalogue takes."""
    known = texts.texts
    wanted = [f"{known[number % len(known)]} {number}" for number in range(N_ENCODED)]
    tokens = tokenize(tokenizer_path(), wanted, N_ITEM)
    calls = [tokens[at : at + ENCODED] for at in range(0, len(tokens), ENCODED)]
    await encoder.encode(calls[0], BUDGET_S)
    started_s, done = time.monotonic(), 0
    for call in calls[1:]:
        await encoder.encode(call, BUDGET_S)
        done += len(call)
        if time.monotonic() > started_s + 2 * PACKED_S:
            break
    return {"texts": done, "texts_per_s": done / (time.monotonic() - started_s)}


async def _timed(ranker: TritonRanker, batch: Tensors) -> tuple[float, float]:
    """Milliseconds of a call, and of the model within it."""
    started_s = time.perf_counter()
    answer: RankerScores = await ranker.score(batch, BUDGET_S)
    spent_ms = 1000 * (time.perf_counter() - started_s)
    began_ns, ended_ns = answer.worked_ns or (0, 0)
    return spent_ms, (ended_ns - began_ns) / 1e6


def _texts(texts: list[str], seed: int) -> Texts:
    item_ids = [str(number) for number in range(len(texts))]
    return Texts(item_ids, texts, [query_for(text) for text in texts], seed)


def _show(report: Json, console: Console) -> None:
    console.print(f"{report['precision']}, started in {report['start_s']:.1f} s", markup=False)
    for model, parity in report["parity"].items():
        console.print(f"{model}, beside float32 at publishing: {parity}", markup=False)
    for part, title in (
        ("latency", "one request, a new query"),
        ("packed", f"requests of {MAIN} candidates in one call, {IN_FLIGHT} calls in flight"),
    ):
        table = Table(title=title, title_justify="left")
        for name in report[part][0]:
            table.add_column(name.replace("_", " "), justify="right")
        for row in report[part]:
            table.add_row(*(f"{value:,.2f}".removesuffix(".00") for value in row.values()))
        console.print(table)
    rate = report["encoding"]["texts_per_s"]
    console.print(f"{rate:,.0f} new texts/s, {ENCODED} in a call", markup=False)


def _draw(report: Json, path: Path) -> None:
    figure, (alone, packed) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    sizes = [row["candidates"] for row in report["latency"]]
    for name in ("p50_ms", "p99_ms", "model_p50_ms"):
        label = name.removesuffix("_ms").replace("_", " ")
        alone.plot(sizes, [row[name] for row in report["latency"]], "o-", label=label)
    alone.set(title="one request", xlabel="candidates", ylabel="ms", xscale="log", yscale="log")
    alone.legend()
    requests = [row["requests"] for row in report["packed"]]
    packed.plot(requests, [row["rankings_per_s"] for row in report["packed"]], "o-")
    packed.set(title="packed", xlabel="requests in a call", ylabel="rankings/s", xscale="log")
    for axes in (alone, packed):
        axes.grid(alpha=0.3, which="both")
    figure.suptitle(f"model server, {report['precision']}")
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
