"""A run as a table on the console, `load.json`, `load.html` and `load.png`."""

import html
import io
import json
import math
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from loadtests.load.gates import broken
from loadtests.load.ledger import Figures
from loadtests.load.plots import draw
from loadtests.load.run import Outcome

NOTE = (
    "Latency counts from the second a request was due. Percentiles and routes are those of "
    "rankings, failures those of all requests; refused are 429s, over the key's rate. A "
    "generator on the machine of the stack takes processor time from it: capacity is a lower "
    "bound then."
)
_PAGE = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Vitrine under load</title>
<style>
body { font: 15px system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
pre { line-height: 1.25; overflow-x: auto } svg { max-width: 100%; height: auto }
</style>
<h1>Vitrine under load</h1><p>$measured_at · $url<br>$conditions</p>
<pre>$tables</pre>
$plots
<p>$note</p>
</html>
""")


def publish(outcome: Outcome, folder: Path, url: str, conditions: str) -> None:
    """Print the table, write the files; `conditions` says where the run took place."""
    folder.mkdir(parents=True, exist_ok=True)
    measured_at = datetime.now(UTC).isoformat(timespec="seconds")
    report = {"measured_at": measured_at, "url": url, "conditions": conditions, **as_json(outcome)}
    (folder / "load.json").write_text(json.dumps(report, indent=2) + "\n")
    svg = draw(outcome, folder / "load.png")
    page = _PAGE.substitute(
        measured_at=measured_at,
        url=html.escape(url),
        conditions=html.escape(conditions),
        tables=_as_html(outcome),
        plots=svg,
        note=NOTE,
    )
    (folder / "load.html").write_text(page)
    # A log has no width of its own, and 80 columns cut the table.
    console = Console(width=None if sys.stdout.isatty() else 100)
    show(console, outcome)
    console.print(f"report: {folder / 'load.html'}", markup=False)


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The whole outcome without the single requests; what was not measured is null."""
    run = outcome.run
    return {
        "shape": run.shape,
        "seed": run.seed,
        "limits": asdict(run.limits),
        "passed": not outcome.broken,
        "broken": outcome.broken,
        "whole": _row(outcome.whole),
        "stages": [_row(figures) for figures in outcome.stages],
        "endpoints": [_row(figures) for figures in outcome.endpoints],
        "failures": _failures(outcome),
        "steps": [
            {**_row(figures), "broken": broken(figures, run.limits)} for figures in outcome.steps
        ],
        "knee_per_s": None if outcome.knee is None else outcome.knee.asked / outcome.knee.seconds,
    }


def _row(figures: Figures) -> dict[str, Any]:
    values = {**asdict(figures), "achieved_share": figures.achieved_share}
    return {
        name: (None if math.isnan(value) else round(value, 3))
        if isinstance(value, float)
        else value
        for name, value in values.items()
    }


def _failures(outcome: Outcome) -> dict[str, int]:
    counts = outcome.table["outcome"].value_counts()
    return {str(name): int(n) for name, n in counts.items() if name != "ok"}


def show(console: Console, outcome: Outcome) -> None:
    """The tables and the verdict."""
    limits = outcome.run.limits
    judged = _table("under load: " + outcome.run.shape)
    if len(outcome.stages) > 1:
        for stage in outcome.stages:
            _add(judged, stage)
    _add(judged, outcome.whole, outcome.broken)
    judged.add_section()
    for endpoint in outcome.endpoints:
        _add(judged, endpoint)
    console.print(judged)
    if outcome.steps:
        capacity = _table("capacity")
        for step in outcome.steps:
            _add(capacity, step, broken(step, limits))
        console.print(capacity)
        if outcome.knee is None:
            console.print("knee: below the lowest step, or no step was finished")
        else:
            console.print(
                f"knee: {outcome.knee.name} requests, of which rankings "
                f"{outcome.knee.rankings / outcome.knee.seconds:.1f}/s"
            )
    for failure, n in _failures(outcome).items():
        console.print(f"{failure}: {n} in the whole run", markup=False)
    for reason in outcome.broken:
        console.print(f"FAILED: {reason}", style="bold red", markup=False)
    if not outcome.broken:
        console.print("passed", style="bold green")


def _table(title: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for name in (
        "asked\n1/s", "sent\nin time", "failed", "429", "p50\nms", "p90\nms", "p99\nms",
        "fall-\nback", "cold\nstart", "",
    ):  # fmt: skip
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _add(table: Table, figures: Figures, wrong: list[str] | None = None) -> None:
    """One row; `wrong` is what it broke, None when it is not judged by itself."""
    table.add_row(
        figures.name,
        f"{figures.asked / figures.seconds:.1f}",
        f"{figures.achieved_share:.1%}",
        f"{figures.failure_share:.2%}",
        f"{figures.refused_share:.1%}",
        *(
            "" if math.isnan(ms) else f"{ms:.0f}"
            for ms in (figures.p50_ms, figures.p90_ms, figures.p99_ms)
        ),
        f"{figures.fallback_share:.1%}" if figures.rankings else "",
        f"{figures.cold_starts / figures.rankings:.1%}" if figures.rankings else "",
        "" if wrong is None else "over" if wrong else "ok",
        style="red" if wrong else None,
    )


def _as_html(outcome: Outcome) -> str:
    """The console's tables with their colours; one source for both."""
    console = Console(record=True, file=io.StringIO(), width=100)
    show(console, outcome)
    return console.export_html(inline_styles=True, code_format="{code}")
