"""The last traces in memory, and a trace as the tree that people read."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from serving.local.traces.otlp import Span

KEPT_TRACES = 500
KEPT_SPANS = 2_000  # of one trace


@dataclass(slots=True)
class _Kept:
    arrived_s: float
    spans: dict[str, Span] = field(default_factory=dict)


class TraceStore:
    """The last KEPT_TRACES traces that had a span arrive. Safe for several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._traces: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, spans: Iterable[Span]) -> None:
        """Keep `spans`; the trace that has been quiet longest goes when there are too many.

        A span that comes twice, as after an export that was tried again, is one.
        """
        now_s = self._clock()
        with self._lock:
            for span in spans:
                kept = self._traces.setdefault(span.trace_id, _Kept(now_s))
                kept.arrived_s = now_s
                if len(kept.spans) < KEPT_SPANS or span.span_id in kept.spans:
                    kept.spans[span.span_id] = span
                self._traces.move_to_end(span.trace_id)
            while len(self._traces) > KEPT_TRACES:
                self._traces.popitem(last=False)

    def trace(self, trace_id: str) -> list[Span]:
        """Spans of a trace by start; empty when it is not known."""
        with self._lock:
            kept = self._traces.get(trace_id)
            spans = list(kept.spans.values()) if kept else []
        return sorted(spans, key=lambda span: span.start_ns)

    def trace_ids(self) -> list[str]:
        """The one that had a span arrive last comes first."""
        with self._lock:
            return list(reversed(self._traces))

    def span(self, trace_id: str, span_id: str) -> Span | None:
        """One span, when it is known."""
        with self._lock:
            kept = self._traces.get(trace_id)
            return kept.spans.get(span_id) if kept else None

    def quiet_s(self, trace_id: str) -> float:
        """Seconds since a span of the trace arrived; 0 when it is not known."""
        with self._lock:
            kept = self._traces.get(trace_id)
            return self._clock() - kept.arrived_s if kept else 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """A span's place in the tree. orphan: it names a parent that is not here."""

    span: Span
    depth: int
    orphan: bool


def head(spans: Sequence[Span]) -> Span:
    """The outermost span of a trace: its first root, or else its first orphan."""
    here = {span.span_id for span in spans}
    roots = (span for span in spans if not span.parent_id)
    orphans = (span for span in spans if span.parent_id not in here)
    return next(roots, None) or next(orphans, spans[0])


def title(spans: Sequence[Span]) -> Span:
    """The span that a trace is called after: that of our HTTP side, or else its head.

    Serve puts a span around it that has the same name, and a route too, for every request.
    """
    return next((span for span in spans if _is_request(span)), None) or head(spans)


def _is_request(span: Span) -> bool:
    """Whether it is our own server span, which is called "METHOD /route"."""
    method = span.attributes.get("http.request.method")
    return method is not None and span.name.startswith(f"{method} /")


def rows(spans: Sequence[Span]) -> list[Row]:
    """Every span once, parents before their children, siblings by start.

    At the top: roots, then orphans. An orphan's parent is the caller's own span, or still on its
    way, or lost. `spans` are sorted by start. Spans in a circle are orphans too.
    """
    here = {span.span_id for span in spans}
    children: dict[str, list[Span]] = {}
    for span in spans:
        children.setdefault(span.parent_id, []).append(span)
    orphans = [span for span in spans if span.parent_id and span.parent_id not in here]
    in_order: list[Row] = []
    seen: set[str] = set()
    # The last group only matters when some were reached from nowhere.
    for top in (*children.get("", ()), *orphans, *spans):
        waiting = [Row(top, 0, bool(top.parent_id))]
        while waiting:
            row = waiting.pop()
            if row.span.span_id in seen:
                continue
            seen.add(row.span.span_id)
            in_order.append(row)
            below = children.get(row.span.span_id, ())
            waiting += [Row(child, row.depth + 1, False) for child in reversed(below)]
    return in_order
