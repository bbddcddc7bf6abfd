"""Memory of a stack through a load: a leak shows in a soak."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import psutil

from loadtests.stack import RunningStack

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
    """Samples the memory of a stack's processes while its block runs."""

    def __init__(self, stack: RunningStack, interval_s: float = 10.0) -> None:
        self._stack = stack
        self._interval_s = interval_s
        self.samples: list[dict[str, float]] = []  # MiB by process name
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

    @property
    def sums(self) -> list[float]:
        """MiB of all processes, one value a sample."""
        return [sum(sample.values()) for sample in self.samples]

    @property
    def by_process(self) -> dict[str, list[float]]:
        """MiB of each process name, one value a sample; what grew most comes first."""
        names = {name for sample in self.samples for name in sample}
        sizes = {name: [sample.get(name, 0.0) for sample in self.samples] for name in names}
        return dict(sorted(sizes.items(), key=lambda e: e[1][0] - e[1][-1]))

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._stop.wait(max(due_s - time.monotonic(), 0)):
            self.samples.append(memory_by_process(self._stack.processes()))
            due_s += self._interval_s


def memory_by_process(processes: Sequence[psutil.Process]) -> dict[str, float]:
    """Proportional resident memory (PSS), MiB, summed by what the processes are called."""
    sizes: dict[str, float] = {}
    for process in processes:
        try:
            name = short_name(process)
            sizes[name] = sizes.get(name, 0.0) + process.memory_full_info().pss / 2**20
        except psutil.Error:
            continue
    return sizes


def short_name(process: psutil.Process) -> str:
    """What a process of a stack is, in a word or two."""
    line = process.cmdline() or [process.name()]
    if line[0].startswith("ray::"):
        return line[0]
    if Path(line[0]).name == "triton_python_backend_stub":
        return next(
            (f"triton {name}" for name in ("ranker", "encoder") if name in line[1]), line[0]
        )
    modules = [part for part in line[1:3] if "." in part or part.endswith(".py")]
    return Path(modules[0]).name if modules else Path(line[0]).name
