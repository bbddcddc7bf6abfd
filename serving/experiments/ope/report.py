"""Policies' values as a table, a picture and JSON."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from serving.experiments.ope.evaluation import PolicyValue, Value


def show(values: Sequence[PolicyValue], console: Console) -> None:
    """Print them; what was refused says why."""
    table = Table(title="reward per ranking, with 95 % intervals", title_justify="left")
    for name in ("policy", "form", "estimator"):
        table.add_column(name)
    for name in ("value", "95 %", "gain over the log", "95 %", "effective", "cut off", "largest"):
        table.add_column(name, justify="right")
    for value in values:
        table.add_row(value.policy, value.form.value, "as logged", *_cells(value.logged))
        for name, estimate in value.estimates.items():
            told = value.support
            support = (
                [f"{told.effective:,.0f}", f"{told.clipped:.2%}", f"{told.largest:.1f}"]
                if told
                else []
            )
            table.add_row(
                "", "", name, *_cells(estimate), *_cells(value.gains[name], "+"), *support
            )
    console.print(table)
    for value in values:
        if value.refused:
            console.print(f"{value.policy}, {value.form.value}: not said: {value.refused}",
                          markup=False)  # fmt: skip


def write(values: Sequence[PolicyValue], path: Path) -> None:
    """Write JSON at `path`, and a PNG beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = [value.model_dump(mode="json") for value in values]
    path.write_text(json.dumps(content, indent=1) + "\n")
    _draw(values, path.with_suffix(".png"))


def _draw(values: Sequence[PolicyValue], path: Path) -> None:
    from matplotlib.figure import Figure  # slow to import, and only needed here

    rows = [
        (f"{value.policy}, {name}", estimate)
        for value in values
        for name, estimate in (("as logged", value.logged), *value.estimates.items())
    ]
    figure = Figure(figsize=(9.0, 1.2 + 0.35 * len(rows)), layout="constrained")
    axes = figure.add_subplot(1, 1, 1)
    for place, (name, estimate) in enumerate(reversed(rows)):
        colour = "black" if name.endswith("as logged") else "tab:blue"
        axes.plot([estimate.low, estimate.high], [place, place], color=colour)
        axes.plot([estimate.value], [place], "o", color=colour)
    axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
    axes.set_xlabel("reward per ranking, 95 %")
    figure.savefig(path, dpi=100)


def _cells(value: Value, sign: str = "") -> list[str]:
    return [f"{value.value:{sign}.4f}", f"{value.low:{sign}.4f} {value.high:{sign}.4f}"]
