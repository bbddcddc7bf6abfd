"""What was measured, as tables, as a plot, as JSON, and beside the last time."""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from rich.console import Console
from rich.table import Table

from loadtests.bench.kernel import CROSS

mpl.use("Agg")
import matplotlib.pyplot as plt

Json = dict[str, Any]
WORSE = 1.3  # times what the last run measured: said, not judged, for the machine is shared


def show(report: Json, console: Console) -> None:
    """Print all tables."""
    table = Table(title="scoring alone, one request at a time", title_justify="left")
    for name in ("candidates", "ours ms", "cross-encoder ms", "times", "pairs / CPU s", "its"):
        table.add_column(name, justify="right")
    for row in report["kernel"]:
        ours, plain = row["ours"], row[CROSS]
        table.add_row(
            str(row["candidates"]), f"{ours['p50_ms']:.2f}", f"{plain['p50_ms']:.0f}",
            f"{row['times']:.0f}x", f"{ours['pairs_per_cpu_s']:,.0f}",
            f"{plain['pairs_per_cpu_s']:,.0f}",
        )  # fmt: skip
    console.print(table)
    table = Table(title="over HTTP", title_justify="left")
    for name in ("who", "candidates", "clients", "p50 ms", "p99 ms", "answers/s", "n"):
        table.add_column(name, justify="left" if name == "who" else "right")
    for row in report["http"]:
        table.add_row(
            row["who"], str(row["candidates"]), str(row["clients"]), f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}", f"{row['per_s']:.1f}", str(row["n"]),
        )  # fmt: skip
    console.print(table)
    table = Table(title="at a given rate, 100 candidates", title_justify="left")
    for name in ("of the peak", "asked/s", "good/s", "p50 ms", "p99 ms", "refused", "answers"):
        table.add_column(name, justify="left" if name == "answers" else "right")
    for row in report["load"]:
        answers = ", ".join(f"{n} {kind}" for kind, n in row["answers"].items())
        table.add_row(
            f"{row['share']:.0%}", f"{row['asked_per_s']:.1f}", f"{row['good_per_s']:.1f}",
            f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}", str(row["refused"]), answers,
        )  # fmt: skip
    console.print(table)
    for title in ("catalogue", "shoppers"):
        if rows := report.get(title):
            table = Table(title=f"growth: {title}", title_justify="left")
            for name in rows[0]:
                table.add_column(name.replace("_", " "), justify="right")
            for row in rows:
                table.add_row(*(f"{value:,.2f}".removesuffix(".00") for value in row.values()))
            console.print(table)
    table = Table(title="in one run", title_justify="left")
    for name in ("", "measured", "bar", ""):
        table.add_column(name)
    for name, bar in report["bars"].items():
        table.add_row(name, f"{bar['value']:.2f}", bar["bar"], "met" if bar["met"] else "NOT MET")
    console.print(table)


def compare(report: Json, before: Json, console: Console) -> None:
    """Say what got much worse since `before`; only ratios of one run are to be trusted."""
    for name, bar in report["bars"].items():
        old = before.get("bars", {}).get(name)
        if old is None or not old["value"] or not bar["value"]:
            continue
        change = bar["value"] / old["value"]
        worse = change if bar["bar"].startswith("<=") else 1 / change
        if worse > WORSE:
            console.print(f"{name}: {old['value']:.2f} last time", style="yellow", markup=False)


def draw(report: Json, path: Path) -> None:
    """Milliseconds by number of candidates, one client, both axes logarithmic."""
    figure, (kernel, http) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    sizes = [row["candidates"] for row in report["kernel"]]
    for name in ("ours", CROSS):
        kernel.plot(sizes, [row[name]["p50_ms"] for row in report["kernel"]], "o-", label=name)
    for who in dict.fromkeys(row["who"] for row in report["http"]):
        rows = [row for row in report["http"] if row["who"] == who and row["clients"] == 1]
        http.plot([r["candidates"] for r in rows], [r["p50_ms"] for r in rows], "o-", label=who)
    for axes, title in ((kernel, "scoring alone"), (http, "over HTTP, one client")):
        axes.set(xscale="log", yscale="log", xlabel="candidates", ylabel="median ms", title=title)
        axes.grid(alpha=0.3, which="both")
        axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def write(report: Json, folder: Path, console: Console) -> None:
    """bench.json and bench.png; what the last run left there is compared and replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bench.json"
    if path.is_file():
        compare(report, json.loads(path.read_text()), console)
    path.write_text(json.dumps(report, indent=1) + "\n")
    draw(report, path.with_suffix(".png"))
