"""Results as a table, as a plot, and as docs/cluster.md."""

import shutil
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from helm.tools.kubernetes import Json
from loadtests.e2e.nodes import Timeline
from loadtests.e2e.scenario import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
_BEGIN, _END = "<!-- results: written by `make e2e` -->", "<!-- end of results -->"
_PLOT = PAGE.with_name("images") / "cluster.png"
_NODES = {
    "asked": "wanted by Ray", "made": "pods", "started": "Ray runs", "holding": "have a replica",
    "ready": "take requests",
}  # fmt: skip
_PLOTTED = ("upgrade: rules (helm)", "drain of the only worker")
_COLOURS = {
    "model": "tab:blue", "cold_start": "tab:cyan", "fallback": "tab:orange", "rejected": "tab:red",
    "failed": "black",
}  # fmt: skip
Lines = list[tuple[int, Json]]  # of callers: second of the clock, and what they told of it
COLUMNS = ("phase", "s", "sent", "by the model", "failed", "rejected", "hanging", "worst ms")


def rows(results: list[Result]) -> list[tuple[str, ...]]:
    """A row for each phase, as in COLUMNS."""
    return [
        (
            phase.name,
            str(phase.seconds),
            str(phase.sent),
            str(phase.routes["model"]),
            str(sum(phase.failed.values())),
            str(sum(phase.rejected.values())),
            str(phase.hanging),
            str(phase.worst_ms),
        )
        for result in results
        for phase in result.phases
    ]


def table(results: list[Result]) -> Table:
    """For a terminal."""
    shown = Table()
    for column in COLUMNS:
        shown.add_column(column, justify="left" if column == "phase" else "right")
    for row in rows(results):
        shown.add_row(*row)
    return shown


def plot(results: list[Result], seconds: Lines, png: Path) -> None:
    """An upgrade and a drain, second by second: what was answered, and the slowest answer."""
    from matplotlib.figure import Figure  # slow to import, and only needed here

    phases = [phase for each in results for phase in each.phases if phase.name in _PLOTTED]
    png.unlink(missing_ok=True)  # that of another run
    if not phases:
        return
    figure = Figure(figsize=(11, 3.2 * len(phases)), layout="constrained")
    for axes, phase in zip(figure.subplots(len(phases), squeeze=False)[:, 0], phases, strict=True):
        _draw_answers(axes, int(phase.from_s), phase.seconds, seconds)
        axes.set(title=phase.name, xlabel="seconds")
    png.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(png, dpi=100)


def plot_growth(timeline: Timeline, seconds: Lines, png: Path) -> None:
    """Answers, replicas and nodes of one growth, second by second."""
    from matplotlib.figure import Figure

    samples, began_s = timeline.samples, min(timeline.marks.values()) - 20
    lasted = int(samples[-1].at_s - began_s)
    figure = Figure(figsize=(11, 9), layout="constrained")
    answers, replicas, nodes = figure.subplots(3, sharex=True)
    _draw_answers(answers, int(began_s), lasted, [*seconds, *timeline.crowd])
    at = [now.at_s - began_s for now in samples]
    for number, name in enumerate(samples[0].targets):
        wanted = [now.targets.get(name) for now in samples]
        running = [now.running.get(name) for now in samples]
        replicas.step(at, wanted, where="post", color=f"C{number}", linestyle=":")
        replicas.step(at, running, where="post", color=f"C{number}", label=name)
    replicas.set(ylabel="replicas (dotted: wanted)", ylim=(0, None))
    for name in ("asked", "made", "started", "holding", "ready"):
        told = [getattr(now, name) for now in samples]
        nodes.step(at, told, where="post", label=_NODES[name])
    nodes.set(ylabel="nodes", ylim=(0, None), xlabel="seconds", xlim=(0, lasted))
    for axes in (answers, replicas, nodes):
        for mark, at_s in timeline.marks.items():
            axes.axvline(at_s - began_s, color="grey", linestyle="--", linewidth=0.8)
            if axes is answers:
                where = (at_s - began_s, 1.02)
                axes.annotate(mark, where, xycoords=("data", "axes fraction"), rotation=20)
        axes.legend(loc="lower left", fontsize="small")
    png.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(png, dpi=100)


def _draw_answers(axes: "Axes", first: int, lasted: int, lines: Lines) -> None:
    """How many were answered in each way in each second, and the slowest of it."""
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    slowest: dict[int, int] = defaultdict(int)
    for second, line in lines:
        if first <= second < first + lasted:
            counts[second - first].update(line["counts"])
            slowest[second - first] = max(slowest[second - first], line["worst_ms"])
    at = sorted(counts)
    kinds = {kind for each in counts.values() for kind in each} - {"hanging"}
    below = [0] * len(at)
    for kind in sorted(kinds, key=lambda kind: (":" in kind, kind != "model", kind)):
        answered = [counts[second][kind] for second in at]
        colour = _COLOURS.get(kind.partition(":")[0], "tab:purple")
        axes.bar(at, answered, bottom=below, width=1.0, label=kind, color=colour)
        below = [a + b for a, b in zip(below, answered, strict=True)]
    axes.set(ylabel="requests a second")
    axes.legend(loc="lower left")
    worst = axes.twinx()
    worst.plot(at, [slowest[second] for second in at], color="black", linewidth=0.8)
    worst.set(yscale="log", ylabel="slowest, ms", ylim=(1, 20_000))
    worst.axhline(2_000, color="red", linestyle=":")


def write_page(results: list[Result], png: Path, growth_png: Path, took_s: int) -> None:
    """The tables of docs/cluster.md, between their marks, and the plots."""
    lines = [
        f"{time.strftime('%Y-%m-%d')}, the whole suite in {took_s // 60} min {took_s % 60} s.",
        "",
    ]
    lines += [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows(results)]
    lines += ["", "| scenario | seen |", "|---|---|"]
    for result in results:
        seen = ", ".join(f"{name}: {value}" for name, value in result.facts.items())
        lines += [f"| {result.name} | {seen} |"] if seen else []
    if png.exists():
        shutil.copy(png, _PLOT)
        lines += ["", "![An upgrade and a drain, second by second](images/cluster.png)"]
    if growth_png.exists():  # docs/autoscaling.md shows it
        shutil.copy(growth_png, _PLOT.with_name("growth.png"))
    text = PAGE.read_text()
    before, _, rest = text.partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    assert mark, f"{PAGE} has no marks for the results"
    PAGE.write_text(f"{before}{_BEGIN}\n" + "\n".join(lines) + f"\n{_END}{after}")
