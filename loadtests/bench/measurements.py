"""Scoring alone and answers over HTTP: one row a cell, milliseconds and answers a second."""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from loadtests.bench.clients import Endpoint, closed_loop, open_loop
from loadtests.bench.constant import constant_scores
from loadtests.bench.empty_graph import empty_graph
from loadtests.bench.infinity import MODEL_NAME
from loadtests.bench.kernel import CROSS, Kernels, Speed
from loadtests.bench.report import Json
from loadtests.bench.texts import Texts
from loadtests.stack import RunningStack
from serving.local.models import GROCERY_BUNDLE, RUNNING, tokenizer_path
from serving.training.publish.repository import version_in_use

SIZES = (10, 50, 100, 300, 1_000)
CLIENTS = (1, 8, 32)
MAIN = 100  # candidates of the headline figures
LOADS = (0.7, 1.0, 2.0)  # shares of the peak
BUDGET_MS = 500  # the default of a request
LATE_MS = 50  # of the way back and of the caller itself
INFINITY_S = 30.0  # a cell of Infinity's would take longer than this: left out, and said


def kernel(
    folder: Path, texts: Texts, sizes: tuple[int, ...], options: argparse.Namespace
) -> list[Json]:
    """Both kernels at each number of candidates."""
    number = version_in_use(folder / "models", "ranker")
    with np.load(GROCERY_BUNDLE / "held_out.npz") as held_out:
        features = held_out["FEATURES"]
    version = folder / "models" / "ranker" / str(number)
    kernels = Kernels(version, tokenizer_path(), features, texts, options.threads)
    out = []
    for n in sizes:
        speeds = kernels.compare(n, rounds=5 if options.quick or n == max(SIZES) else 15)
        times = [b.wall_ms / a.wall_ms for a, b in zip(speeds["ours"], speeds[CROSS], strict=True)]
        row: Json = {"candidates": n, "times": float(np.median(times))}
        out.append(row | {name: _speed(values, n) for name, values in speeds.items()})
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
        answers = open_loop(endpoint, share * peak, seconds, options.seed)
        good = sum(ms <= BUDGET_MS + LATE_MS for ms in answers.latencies_ms)
        row = {"share": share, "asked_per_s": share * peak, "good_per_s": good / answers.spent_s}
        rows.append(row | answers.figures())
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


def _rank(url: str, user_id: str, texts: Texts, n: int, budget_ms: int = 5_000) -> Endpoint:
    def body() -> Json:
        request = texts.ask(n)
        candidates = [{"item_id": texts.item_ids[row]} for row in request.candidates]
        return {
            "user_id": user_id,
            "query": request.query,
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
        request = texts.ask(n)
        documents = [texts.texts[row] for row in request.candidates]
        return {"query": texts.context(request), "documents": documents, "model": MODEL_NAME}

    return Endpoint(f"{url}/rerank", {}, body, lambda _: "reranked")


def _cell(
    who: str, n: int, clients: int, endpoint: Endpoint, seconds: float, at_least: int = 3
) -> Json:
    figures = closed_loop(endpoint, clients, seconds, at_least).figures()
    return {"who": who, "candidates": n, "clients": clients, **figures}


def _speed(speeds: list[Speed], n: int) -> Json:
    wall = [speed.wall_ms for speed in speeds]
    cpu_s = sum(speed.cpu_ms for speed in speeds) / 1000
    return {
        "p50_ms": float(np.median(wall)),
        "p99_ms": float(np.quantile(wall, 0.99)),
        "pairs_per_cpu_s": n * len(speeds) / cpu_s,
    }
