"""Ways to run a network on a device, and how long a call takes.

`eager` launches each operation; `graph` replays them as one CUDA graph; `compiled` is
torch.compile. A way that fails, or is not there on this device, is said with its reason.
"""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

EAGER, GRAPH, COMPILED = "eager", "graph", "compiled"
_WARM = 3
_TURN_S = 0.02  # of calls one behind the other between two waits for the device
_MAX_TURNS = 400

Call = Callable[[], Any]


class LeftOutError(Exception):
    """A way that this device or host does not have; the message says what is missing."""


class OutOfTime(BaseException):
    """More than was allowed; no part of PyTorch may swallow it."""


def prepared(mode: str, run: Callable[..., Any], inputs: Sequence[Tensor]) -> Call:
    """A call of `run` on `inputs` where they lie; a graph reads what they hold when it runs."""
    if mode == EAGER:
        return lambda: run(*inputs)
    if mode == COMPILED:
        compiled = torch.compile(run, dynamic=False)
        compiled(*inputs)
        return lambda: compiled(*inputs)
    if not inputs[0].is_cuda:
        raise LeftOutError("CUDA graphs need a GPU of NVIDIA")
    return _captured(run, inputs)


def _captured(run: Callable[..., Any], inputs: Sequence[Tensor]) -> Call:
    # What is set up at a first call must not be captured: it runs beforehand, on another stream.
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_WARM):
            run(*inputs)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = run(*inputs)

    def replay() -> Any:
        graph.replay()
        return out

    return replay


def wait(device: torch.device) -> None:
    """Until the device has done all it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def alone_ms(call: Call, device: torch.device, seconds: float) -> dict[str, float]:
    """Median and 99th percentile of calls that each wait for their end, in ms, and how many."""
    for _ in range(_WARM):
        call()
    wait(device)
    times: list[float] = []
    end_s = time.perf_counter() + seconds
    while not times or (time.perf_counter() < end_s and len(times) < _MAX_TURNS):
        start_s = time.perf_counter()
        call()
        wait(device)
        times.append(1000 * (time.perf_counter() - start_s))
    return {
        "ms": float(np.median(times)),
        "p99_ms": float(np.quantile(times, 0.99)),
        "calls": len(times),
    }


def busy_ms(call: Call, device: torch.device, seconds: float) -> dict[str, float]:
    """Mean of calls that follow each other, in ms, as the median over turns; and how many."""
    first = alone_ms(call, device, 0.0)["ms"]
    in_turn = max(1, int(1000 * _TURN_S / max(first, 1e-3)))
    times: list[float] = []
    end_s = time.perf_counter() + seconds
    while not times or (time.perf_counter() < end_s and len(times) < _MAX_TURNS):
        start_s = time.perf_counter()
        for _ in range(in_turn):
            call()
        wait(device)
        times.append(1000 * (time.perf_counter() - start_s) / in_turn)
    return {"ms": float(np.median(times)), "calls": in_turn * len(times)}


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in the body after so many seconds. Of the main thread."""

    def over(*_: Any) -> None:
        raise OutOfTime(f"more than {seconds:.0f} s")

    handler = signal.signal(signal.SIGALRM, over)
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, remaining, interval)
        signal.signal(signal.SIGALRM, handler)
