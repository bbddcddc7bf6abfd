"""Traces as trees in the terminal: `make serve TRACES=console`."""

import threading
from datetime import datetime
from typing import Self

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from serving.local.traces.otlp import Span
from serving.local.traces.store import Row, TraceStore, rows

# Exporters wait up to a second before they send: by then the rest of a trace has come.
QUIET_S = 2.0
# The root may be a caller's, and then it never comes.
QUIET_WITHOUT_ROOT_S = 6.0
_LOOK_S = 0.5
_SHOWN = {
    "http.response.status_code": "status",
    "batch.rows": "rows",
    "batch.requests": "requests",
    "batch.dispatch": "dispatch",
    "outcome": "outcome",
    "events": "events",
    "sampled": "sampled",
}


class TracePrinter:
    """Prints each trace of `store` once, when it seems complete. As a context, on a thread."""

    def __init__(self, store: TraceStore, console: Console) -> None:
        self._store = store
        self._console = console
        self._printed: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trace-printer", daemon=True)

    def print_quiet(self) -> None:
        """One look at all traces: print those that have been quiet for long enough."""
        trace_ids = self._store.trace_ids()
        self._printed.intersection_update(trace_ids)
        for trace_id in reversed(trace_ids):
            if trace_id in self._printed:
                continue
            spans = self._store.trace(trace_id)
            has_root = any(not span.parent_id for span in spans)
            if self._store.quiet_s(trace_id) >= (QUIET_S if has_root else QUIET_WITHOUT_ROOT_S):
                self._printed.add(trace_id)
                self._console.print(tree(spans))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End; what was not quiet yet stays unprinted."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_S):
            self.print_quiet()


def tree(spans: list[Span]) -> Tree:
    """The spans of a trace, sorted by start; one line each."""
    # No zone of its own: the terminal's clock is the reader's.
    began = datetime.fromtimestamp(spans[0].start_ns / 1e9).astimezone()
    top = Tree(Text(f"{began:%H:%M:%S}  trace {spans[0].trace_id}", "dim"), guide_style="dim")
    branches = [top]
    for row in rows(spans):
        del branches[row.depth + 1 :]
        branches.append(branches[row.depth].add(_line(row)))
    return top


def _line(row: Row) -> Text:
    span = row.span
    line = Text.assemble(
        (span.name, "bold red" if span.failed else "bold"),
        f"  {span.duration_ms:.1f} ms",
        (f"  {span.service}", "dim"),
    )
    told = [
        f"{word} {span.attributes[name]}"
        for name, word in _SHOWN.items()
        if name in span.attributes
    ]
    if span.links:
        told.append(f"links {len(span.links)}")
    if row.orphan:
        told.append("parent not here")
    if told:
        line.append("  " + " · ".join(told), "red" if span.failed else "cyan")
    return line
