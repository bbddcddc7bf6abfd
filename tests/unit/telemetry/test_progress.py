"""Progress where there is no terminal: a line now and then, with rate and rest."""

import io
import threading

from rich.console import Console

from features.telemetry.progress import StepProgress, tracked, waiting


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def log() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=200), out


def test_a_log_gets_a_line_every_ten_seconds_with_rate_and_rest() -> None:
    (console, out), clock = log(), Clock()
    with StepProgress(console, clock=clock) as progress:
        task = progress.add_task("events", total=80_000)
        for second in range(1, 26):
            clock.now_s = 100.0 + second
            progress.update(task, completed=1_000 * second)
    assert [line for line in out.getvalue().splitlines() if line] == [
        "events: 11,000 of 80,000 (14 %), 1,000/s, 69 s left",
        "events: 21,000 of 80,000 (26 %), 1,000/s, 59 s left",
    ]


def test_a_task_of_unknown_length_tells_its_rate_alone() -> None:
    (console, out), clock = log(), Clock()
    with StepProgress(console, clock=clock) as progress:
        task = progress.add_task("rows", total=None)
        progress.advance(task)
        clock.now_s += 20.0
        progress.advance(task)
    assert "rows: 2, 0.1/s\n" in out.getvalue()


def test_what_is_short_says_nothing() -> None:
    console, out = log()
    assert [*tracked([1, 2, 3], "things", console)] == [1, 2, 3]
    assert out.getvalue().strip() == ""


def test_a_terminal_has_its_bar_and_no_lines() -> None:
    out, clock = io.StringIO(), Clock()
    console = Console(file=out, force_terminal=True, width=100)
    with StepProgress(console, clock=clock) as progress:
        task = progress.add_task("events", total=10)
        for _ in range(10):
            clock.now_s += 20.0
            progress.advance(task)
    assert "events" in out.getvalue()
    assert "s left" not in out.getvalue()


def test_waiting_is_told_at_once_and_again_while_it_lasts() -> None:
    told = threading.Event()

    class Log(io.StringIO):
        def write(self, text: str) -> int:
            if "so far" in text:
                told.set()
            return super().write(text)

    out = Log()
    with waiting(Console(file=out, width=100), "reading", every_s=0.01):
        assert out.getvalue() == "reading\n"
        assert told.wait(30)
    assert "reading: 0 s so far" in out.getvalue()
