"""Traces on the terminal: `make serve TRACES=console`."""

import re
import time

import pytest
from rich.console import Console

from serving.local.traces.console import QUIET_S, QUIET_WITHOUT_ROOT_S, TracePrinter
from serving.local.traces.otlp import Span
from serving.local.traces.store import TraceStore
from serving.local.traces.viewer import TraceViewer
from tests.support.trace_maker import TraceMaker


def span(
    span_id: str, parent_id: str = "", start_ms: float = 0.0, ms: float = 1.0, failed: bool = False
) -> Span:
    start_ns = int(start_ms * 1e6)
    attributes = {"batch.rows": 50, "secret": "not shown"}
    return Span(
        "t", span_id, parent_id, f"[{span_id}]", "vitrine", start_ns, start_ns + int(ms * 1e6),
        attributes, failed=failed,
    )  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def terminal() -> Console:
    return Console(record=True, width=120)


def test_a_trace_is_printed_once_when_it_has_been_quiet(terminal: Console) -> None:
    clock = Clock()
    store = TraceStore(clock)
    printer = TracePrinter(store, terminal)
    store.add([span("child", "root", 1)])
    clock.now_s = QUIET_S
    store.add([span("root", ms=5)])
    printer.print_quiet()
    assert terminal.export_text() == ""
    clock.now_s += QUIET_S
    printer.print_quiet()
    printer.print_quiet()
    store.add([span("late", "root", 9)])
    clock.now_s += QUIET_S
    printer.print_quiet()
    lines = [line.strip() for line in terminal.export_text().splitlines()]
    assert lines[1:] == [
        "└── [root]  5.0 ms  vitrine  rows 50",
        "└── [child]  1.0 ms  vitrine  rows 50",
    ]


def test_a_trace_whose_root_is_the_callers_is_printed_later(terminal: Console) -> None:
    clock = Clock()
    store = TraceStore(clock)
    printer = TracePrinter(store, terminal)
    store.add([span("server", "storefront", failed=True)])
    clock.now_s = QUIET_S
    printer.print_quiet()
    assert terminal.export_text() == ""
    clock.now_s = QUIET_WITHOUT_ROOT_S
    printer.print_quiet()
    assert "[server]  1.0 ms  vitrine  rows 50 · parent not here" in terminal.export_text()


def test_the_terminal_shows_what_came_over_the_wire(
    viewer: TraceViewer, maker: TraceMaker, terminal: Console
) -> None:
    with TracePrinter(viewer.store, terminal):
        maker.event()
        deadline_s = time.monotonic() + 20
        while "features.write" not in (printed := terminal.export_text(clear=False)):
            assert time.monotonic() < deadline_s, printed
            time.sleep(0.05)
    assert re.search(r"POST /v1/events  3\.1 ms .*status 202", printed)
