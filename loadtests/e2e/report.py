"""Results as a table, as a plot, and as docs/cluster.md."""

import shutil
import time
from pathlib import Path

from rich.table import Table

from helm.tools.kubernetes import Json
from loadtests.e2e.scenario import Result
from loadtests.e2e.traffic import Phase

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
_BEGIN, _END = "<!-- results: written by `make e2e` -->", "<!-- end of results -->"
_PLOT = PAGE.with_name("images") / "cluster.png"
_PLOTTED = ("upgrade: rules (helm)", "drain of the only worker")
_COLOURS = {
    "model": "tab:blue", "cold_start": "tab:cyan", "fallback": "tab:orange", "rejected": "tab:red",
    "failed": "black",
}  # fmt: skip
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


def plot(results: list[Result], seconds: list[tuple[int, Json]], png: Path) -> None:
    """An upgrade and a drain, second by second: what was answered, and the slowest answer."""
    from matplotlib.figure import Figure  # slow to import, and only needed here

    phases = [phase for each in results for phase in each.phases if phase.name in _PLOTTED]
    png.unlink(missing_ok=True)  # that of another run
    if not phases:
        return
    figure = Figure(figsize=(11, 3.2 * len(phases)), layout="constrained")
    for axes, phase in zip(figure.subplots(len(phases), squeeze=False)[:, 0], phases, strict=True):
        at, answered, slowest = _over_time(phase, seconds)
        below = [0] * len(at)
        for kind, counts in answered.items():
            colour = _COLOURS.get(kind.partition(":")[0], "tab:purple")
            axes.bar(at, counts, bottom=below, width=1.0, label=kind, color=colour)
            below = [a + b for a, b in zip(below, counts, strict=True)]
        axes.set(title=phase.name, ylabel="requests a second", xlabel="seconds")
        axes.legend(loc="lower left")
        worst = axes.twinx()
        worst.plot(at, slowest, color="black", linewidth=0.8)
        worst.set(yscale="log", ylabel="slowest, ms", ylim=(1, 20_000))
        worst.axhline(2_000, color="red", linestyle=":")
    png.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(png, dpi=100)


def _over_time(
    phase: Phase, seconds: list[tuple[int, Json]]
) -> tuple[list[int], dict[str, list[int]], list[int]]:
    """Seconds since its start; how many were answered in each way; the slowest, ms."""
    first = int(phase.from_s)
    lines = [line for second, line in seconds if first <= second < first + phase.seconds]
    kinds = sorted({kind for line in lines for kind in line["counts"]} - {"hanging"})
    kinds.sort(key=lambda kind: (":" in kind, kind != "model"))
    answered = {kind: [line["counts"].get(kind, 0) for line in lines] for kind in kinds}
    return (
        [line["second"] - first for line in lines],
        answered,
        [line["worst_ms"] for line in lines],
    )


def write_page(results: list[Result], png: Path, took_s: int) -> None:
    """The tables of docs/cluster.md, between their marks, and its plot."""
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
    text = PAGE.read_text()
    before, _, rest = text.partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    assert mark, f"{PAGE} has no marks for the results"
    PAGE.write_text(f"{before}{_BEGIN}\n" + "\n".join(lines) + f"\n{_END}{after}")
