"""The page of `make serve TRACES=view`, and the JSON that it asks for."""

import base64
import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from serving.local.traces.otlp import Span
from serving.local.traces.store import TraceStore, head, rows, title

_FILES = Path(__file__).parent


def page() -> tuple[bytes, dict[str, str]]:
    """The page, complete in itself, and its headers: its policy lets in nothing else."""
    style, script = (_FILES / "page.css").read_text(), (_FILES / "page.js").read_text()
    html = (_FILES / "page.html").read_text()
    html = html.replace("<style></style>", f"<style>{style}</style>")
    html = html.replace('<script type="module">', f'<script type="module">{script}')
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        # Names of spans are other people's text: the browser refuses to read one as markup.
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return html.encode(), {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def summaries(store: TraceStore) -> list[dict[str, Any]]:
    """Each kept trace in a line, the one that began last first."""
    lines = [_summary(spans) for trace_id in store.trace_ids() if (spans := store.trace(trace_id))]
    return sorted(lines, key=lambda line: line["start_ms"], reverse=True)


def _summary(spans: list[Span]) -> dict[str, Any]:
    """Start and duration are those of its head: what comes after an answer is not in them."""
    outermost, called = head(spans), title(spans)
    return {
        "trace_id": called.trace_id,
        "name": called.name,
        "start_ms": outermost.start_ns / 1e6,  # unix
        "duration_ms": outermost.duration_ms,
        "spans": len(spans),
        "services": sorted({span.service for span in spans}),
        "failed": any(span.failed for span in spans),
        "status": called.attributes.get("http.response.status_code"),
        "late": called.attributes.get("sampled") == "late",
    }


def trace(store: TraceStore, trace_id: str) -> dict[str, Any] | None:
    """A trace as rows in the order of the tree, times relative to its first span; None: unknown."""
    spans = store.trace(trace_id)
    if not spans:
        return None
    start_ns = spans[0].start_ns
    return {
        **_summary(spans),
        "rows": [
            {
                **asdict(row.span),
                "depth": row.depth,
                "orphan": row.orphan,
                "offset_ms": (row.span.start_ns - start_ns) / 1e6,
                "duration_ms": row.span.duration_ms,
                "links": [_link(store, *link) for link in row.span.links],
            }
            for row in rows(spans)
        ],
    }


def _link(store: TraceStore, trace_id: str, span_id: str) -> dict[str, Any]:
    """Where a link leads; without names when it leads to what is not kept."""
    linked, there = store.span(trace_id, span_id), store.trace(trace_id)
    return {
        "trace_id": trace_id,
        "span_id": span_id,
        "trace": title(there).name if there else None,
        "span": linked.name if linked else None,
    }
