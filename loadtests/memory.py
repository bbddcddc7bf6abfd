"""Memory of a stack through a load: a leak shows in a soak."""

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np
import psutil

from tests.stack import RunningStack

GROWTH = 0.05  # of memory after warm-up that a soak may show
_WARM, _END = 0.3, 0.8  # of the samples: what lies before and behind is compared


def growth(sizes: Sequence[float]) -> float:
    """How much larger the last fifth is than what follows the first tenth, as a share; medians."""
    values = np.array(sizes, float)
    if len(values) < 10:
        return 0.0
    n = len(values)
    warm = np.median(values[n // 10 : max(int(_WARM * n), n // 10 + 1)])
    return float(np.median(values[int(_END * n) :]) / warm - 1)


class MemoryWatch:
    """Samples the proportional set size of a stack's processes, MiB, while its block runs."""

    def __init__(self, stack: RunningStack, interval_s: float = 10.0) -> None:
        self._stack = stack
        self._interval_s = interval_s
        self.sizes: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._stop.wait(max(due_s - time.monotonic(), 0)):
            self.sizes.append(_pss_mib(self._stack.processes()))
            due_s += self._interval_s


def _pss_mib(processes: Sequence[psutil.Process]) -> float:
    total = 0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 1024**2
