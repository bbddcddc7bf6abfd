"""How far a long step is: a bar in a terminal, a line now and then where there is none.

rich draws bars in terminals only; in a log it shows nothing until the end.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import Progress, Task, TaskID

EVERY_S = 10.0  # between two lines of a step
T = TypeVar("T")


class StepProgress(Progress):
    """rich's Progress, which tells each task's rate and rest every EVERY_S without a terminal.

    A task speaks when it is moved on, so one that stands still is silent.
    """

    def __init__(
        self,
        console: Console,
        transient: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        bars = console.is_terminal
        super().__init__(
            console=console, transient=transient or not bars, auto_refresh=bars, get_time=clock
        )
        self._clock = clock
        self._told_s: dict[TaskID, float] = {}

    def update(self, task_id: TaskID, **fields: Any) -> None:
        """As rich's."""
        super().update(task_id, **fields)
        self._tell(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """As rich's."""
        super().advance(task_id, advance)
        self._tell(task_id)

    def _tell(self, task_id: TaskID) -> None:
        now_s = self._clock()
        if self.console.is_terminal or now_s - self._told_s.setdefault(task_id, now_s) < EVERY_S:
            return
        self._told_s[task_id] = now_s
        self.console.print(line_of(self._tasks[task_id]), markup=False, highlight=False)


def tracked(
    things: Sequence[T], what: str, console: Console, transient: bool = False
) -> Iterator[T]:
    """Walk through `things` and tell how far it is; a transient bar is gone when it is done."""
    with StepProgress(console, transient) as progress:
        yield from progress.track(things, description=what)


def line_of(task: Task) -> str:
    """ "events: 20,000 of 80,000 (25 %), 1,900/s, 32 s left"."""
    line = f"{task.description}: {task.completed:,.0f}"
    if task.total:
        line += f" of {task.total:,.0f} ({task.percentage:.0f} %)"
    elapsed_s = task.elapsed or 0.0
    if not elapsed_s or not task.completed:
        return line
    rate = task.completed / elapsed_s
    line += f", {rate:,.0f}/s" if rate >= 10 else f", {rate:.2g}/s"
    rest = (task.total or 0.0) - task.completed
    return f"{line}, {rest / rate:,.0f} s left" if rest > 0 else line


@contextmanager
def waiting(console: Console, what: str, every_s: float = EVERY_S) -> Iterator[None]:
    """Tell what is waited for: a spinner, or a line at first and one every `every_s`."""
    if console.is_terminal:
        with console.status(what):
            yield
        return
    console.print(what, markup=False, highlight=False)
    started_s, done = time.monotonic(), threading.Event()

    def tell() -> None:
        while not done.wait(every_s):
            so_far = f"{what}: {time.monotonic() - started_s:.0f} s so far"
            console.print(so_far, markup=False, highlight=False)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
