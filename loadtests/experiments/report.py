"""The proofs as tables, JSON and a picture."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from loadtests.experiments.bars import Bar
from loadtests.experiments.real_past import Month
from loadtests.experiments.zozo import BOOTSTRAPS, Direction


def show_bars(bars: Sequence[Bar], console: Console) -> None:
    """Print what was measured against what is required."""
    table = Table(title="measured against required", title_justify="left")
    table.add_column("")
    for name in ("measured", "95 %", "required", "runs"):
        table.add_column(name, justify="right")
    table.add_column("of")
    table.add_column("")
    for bar in bars:
        ends = bar.interval
        table.add_row(
            bar.name, f"{bar.measured:.2%}",
            "" if ends is None else f"{ends[0]:.2%} {ends[1]:.2%}",
            f"{'>=' if bar.at_least else '<='} {bar.required:.1%}",
            "" if bar.runs is None else f"{bar.runs:,}", bar.note,
            "met" if bar.met else "not met", style=None if bar.met else "red",
        )  # fmt: skip
    console.print(table)


def show_directions(found: Sequence[Direction], console: Console) -> None:
    """Print each policy as estimated from the other's log."""
    table = Table(
        title="clicks per thousand items shown, from the other policy's log", title_justify="left"
    )
    for name in ("campaign", "from", "to"):
        table.add_column(name)
    for name in ("truth, 95 %", *found[0].estimates, "effective", "largest", "mean weight"):
        table.add_column(name, justify="right")
    for each in found:
        table.add_row(
            each.campaign, each.source, each.target,
            f"{1000 * each.truth:.2f} ({1000 * each.low:.2f} {1000 * each.high:.2f})",
            *(f"{1000 * value:.2f}, {each.inside[name]} ({each.at_best[name]:.0%}), "
              f"{each.agrees[name]}" for name, value in each.estimates.items()),
            f"{each.support.effective:,.0f}", f"{each.support.largest:,.1f}",
            f"{each.support.mean:.2f}", style="red" if each.refused else None,
        )  # fmt: skip
    console.print(table)
    console.print(
        f"behind each estimate: of {BOOTSTRAPS} bootstraps, those within the truth's interval (and "
        "as many as would be without any bias), and those that agree with the truth when its own "
        "error counts; red: refused by its support", markup=False,
    )  # fmt: skip


def show_months(data: str, found: Sequence[Month], console: Console) -> None:
    """Print what the past of real shoppers explains, month by month."""
    table = Table(title=f"{data}: variance explained by the 14 days before", title_justify="left")
    table.add_column("month, newest first")
    for name in ("shoppers", "with a past", *found[0].saved):
        table.add_column(name, justify="right")
    for place, month in enumerate(found, start=1):
        table.add_row(
            str(place), f"{month.shoppers:,}", f"{month.with_past:.0%}",
            *(f"{month.saved.get(name, float('nan')):.0%} (deviation "
              f"{month.relative_deviation.get(name, float('nan')):.1f} x mean)"
              for name in found[0].saved),
        )  # fmt: skip
    console.print(table)


def write(
    bars: Sequence[Bar], figures: dict[str, Any], directions: Sequence[Direction], path: Path
) -> None:
    """Write JSON at `path`, and the pictures beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "bars": [bar.as_json() for bar in bars],
        "figures": figures,
        "zozo": [asdict(each) for each in directions],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    _draw(bars, directions, path.with_suffix(".png"))


def _draw(bars: Sequence[Bar], directions: Sequence[Direction], path: Path) -> None:
    from matplotlib.figure import Figure  # slow to import, and only needed here

    figure = Figure(figsize=(13.0, 5.0), layout="constrained")
    axes = figure.add_subplot(1, 2, 1)
    for place, bar in enumerate(reversed(bars)):
        colour = "tab:green" if bar.met else "tab:red"
        axes.plot([bar.measured], [place], "o", color=colour)
        axes.plot([bar.required], [place], "k|", markersize=16)
        if bar.interval is not None:
            axes.plot(bar.interval, [place, place], color=colour)
    axes.set_yticks(range(len(bars)), [bar.name for bar in reversed(bars)])
    axes.set_xscale("symlog", linthresh=0.001)
    axes.set_title("measured (95 %) and required (|)")
    if directions:
        axes = figure.add_subplot(1, 2, 2)
        for place, each in enumerate(reversed(directions)):
            axes.plot([1000 * each.low, 1000 * each.high], [place, place], "k", linewidth=6,
                      alpha=0.25)  # fmt: skip
            for shift, (name, value) in enumerate(each.estimates.items()):
                axes.errorbar(
                    [1000 * value], [place + 0.12 * (shift - 2)],
                    xerr=[1960 * each.error[name]], fmt="o", color=f"C{shift}", markersize=4,
                    label=name if place == 0 else None,
                )  # fmt: skip
        names = [f"{d.campaign}: {d.source} to {d.target}" for d in reversed(directions)]
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("clicks per thousand items shown; grey: the truth")
        axes.legend()
    figure.savefig(path, dpi=100)
