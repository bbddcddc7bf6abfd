"""Part four: how long a batch of k requests takes, and what bringing it to the device takes.

Each request has 100 candidates, a query that no memory has, and as much history as serving sends.
Item vectors are remembered. A call begins with arrays on the host and ends with scores there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from loadtests.gpu.check.model.carried import Carried
from loadtests.gpu.check.model.onnx_tower import MissingError
from loadtests.gpu.check.model.ranking import Ranking, Requests, Scorer
from loadtests.gpu.check.model.requests import padded_requests, table, with_queries
from loadtests.gpu.check.model.tower import PRECISIONS, Tower
from loadtests.gpu.check.report import Report, Row
from loadtests.gpu.check.scores import tower_of
from loadtests.gpu.check.variants import EAGER, GRAPH, LeftOutError, alone_ms, busy_ms, prepared
from serving.models.runtime.scoring import text_features

TRANSFER, LATENCY = "transfer", "latency"
CANDIDATES = 100
# Where what stands behind the tower runs: all on the device, or as the model server has it today.
ON_DEVICE, AS_SERVED = "all on the device", "tower on the device"
_TURNS = 8  # batches that calls take in turn: each has other queries


@dataclass(frozen=True, slots=True)
class Sizes:
    """Requests in a batch, rows of the table of vectors, and seconds of each measurement."""

    batches: Sequence[int]
    table: int
    seconds: float


FULL = Sizes((1, 2, 4, 8, 16, 32, 64), 200_000, 1.0)
QUICK = Sizes((1, 2, 4), 2_000, 0.05)


def asked_of(carried: Carried, k: int) -> list[Requests]:
    """Batches of `k` requests on the host, of which each has other queries."""
    all_requests = padded_requests(carried.slates, carried.texts["keys"], CANDIDATES)
    rows = torch.from_numpy(np.resize(np.arange(len(all_requests.counts)), k))
    chosen = Requests(*(tensor[rows] for tensor in all_requests))
    return [with_queries(chosen, carried.texts["queries"], k * turn) for turn in range(_TURNS)]


@torch.inference_mode()
def measure_transfer(carried: Carried, device: torch.device, sizes: Sizes, report: Report) -> None:
    """A batch to the device and its scores back, alone."""
    for k, pinned in product(sizes.batches, (False, True)):
        report.tried(
            TRANSFER,
            {"requests": k, "memory": "pinned" if pinned else "pageable"},
            partial(_moved, asked_of(carried, k)[0], pinned, device, sizes.seconds),
        )


def _moved(batch: Requests, pinned: bool, device: torch.device, seconds: float) -> Row:
    batch = _pinned(batch) if pinned else batch
    held = batch.to(device)
    scores = torch.zeros(batch.candidates.shape, device=device)
    size = sum(tensor.nbytes for tensor in batch)
    there = alone_ms(lambda: _copy(batch, held), device, seconds / 2)["ms"]
    back = alone_ms(scores.cpu, device, seconds / 2)["ms"]
    return {"bytes": size, "to_ms": there, "back_ms": back}


@torch.inference_mode()
def measure_latency(carried: Carried, device: torch.device, sizes: Sizes, report: Report) -> None:
    """Rows by what runs on the device, precision, mode and k."""
    precisions = ("float16", "float32") if device.type == "cuda" else ("float32", "float16")
    items = table(carried.reference["float32.vectors"], sizes.table)
    for precision in precisions:
        tower = cache(partial(tower_of, carried, precision, device))
        ranking = cache(partial(_ranking, carried, tower, precision, items, device))
        for k in sizes.batches:
            batches = asked_of(carried, k)
            for mode in (EAGER, GRAPH):
                report.tried(
                    LATENCY,
                    {"runs": ON_DEVICE, "precision": precision, "mode": mode, "requests": k},
                    partial(_whole, ranking, batches, mode, device, sizes.seconds),
                )
            if precision == precisions[0]:
                report.tried(
                    LATENCY,
                    {"runs": AS_SERVED, "precision": precision, "mode": EAGER, "requests": k},
                    partial(_as_served, carried, tower, items, batches, device, sizes.seconds),
                )


def _ranking(
    carried: Carried,
    tower: Callable[[], Tower],
    precision: str,
    items: Tensor,
    device: torch.device,
) -> Ranking:
    scorer = Scorer(carried.ranker, carried.about, PRECISIONS[precision])
    return Ranking(tower(), scorer, items).to(device).eval()


def _whole(
    ranking: Callable[[], Ranking],
    batches: list[Requests],
    mode: str,
    device: torch.device,
    seconds: float,
) -> Row:
    held = batches[0].to(device)
    run = prepared(mode, ranking(), held)
    waiting = [_pinned(batch) for batch in batches] if device.type == "cuda" else batches
    turn = _in_turn(waiting)

    def call() -> Tensor:
        _copy(turn(), held)
        scores: Tensor = run().cpu()
        return scores

    row: Row = alone_ms(call, device, seconds)
    row["device_ms"] = busy_ms(run, device, seconds / 4)["ms"]
    return {**row, "rankings_per_s": 1000 * len(held.counts) / row["ms"]}


def _as_served(
    carried: Carried,
    tower: Callable[[], Tower],
    items: Tensor,
    batches: list[Requests],
    device: torch.device,
    seconds: float,
) -> Row:
    """Queries on the device; matches in NumPy, head and forest in ONNX Runtime, on one CPU."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingError(f"head and forest: {error}") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [
        onnxruntime.InferenceSession(
            str(carried.folder / f"{name}.onnx"), options, providers=["CPUExecutionProvider"]
        )
        for name in carried.about["blend"]
    ]
    vectors = items.numpy()
    turn, network = _in_turn(batches), tower()

    def call() -> list[Any]:
        asked = turn()
        tokens = asked.tokens.to(device)
        queries = network(tokens, tokens != 0).half().float().cpu().numpy()
        rows = []
        for at in range(len(asked.counts)):
            n_user, n_session, n_bought = asked.counts[at].tolist()
            user, session, bought, items_of = (
                vectors[rows_of[at].numpy()].astype(np.float32)
                for rows_of in (asked.user, asked.session, asked.bought, asked.candidates)
            )
            matches = text_features(
                items_of,
                queries[at],
                user[:n_user],
                session[:n_session],
                bought[:n_bought],
                asked.purchases[at, :n_bought].numpy(),
            )
            rows.append(np.concatenate([asked.features[at].numpy(), matches], axis=1))
        features = np.concatenate(rows)
        return [session.run(None, {"features": features}) for session in sessions]

    row: Row = alone_ms(call, device, seconds)
    return {**row, "rankings_per_s": 1000 * len(batches[0].counts) / row["ms"]}


def _copy(batch: Requests, held: Requests) -> None:
    for source, target in zip(batch, held, strict=True):
        target.copy_(source, non_blocking=True)


def _pinned(batch: Requests) -> Requests:
    if not torch.cuda.is_available():
        raise LeftOutError("memory is pinned for a GPU alone")
    return Requests(*(tensor.pin_memory() for tensor in batch))


def _in_turn(batches: list[Requests]) -> Callable[[], Requests]:
    turns = iter(range(10**9))
    return lambda: batches[next(turns) % len(batches)]
