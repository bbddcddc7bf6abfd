"""A table and a plot of what a floor holds and costs."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from rich.console import Console
from rich.table import Table

from loadtests.fairness.floor import Held


def show_floor(proof: Held, points: Sequence[Held], console: Console) -> None:
    """Print what a floor holds and costs."""
    table = Table(title="a floor of exposure for new items", title_justify="left")
    for name in ("rankings", "floor", "held", "without", "NDCG", "without", "lost", "as counted"):
        table.add_column(name)
    for one in (proof, *points):
        table.add_row(
            f"{one.rankings:,}", f"{one.floor:.2f}", f"{one.share:.4f}", f"{one.without:.4f}",
            f"{one.ndcg:.4f}", f"{one.ndcg_without:.4f}", f"{100 * one.lost:.2f} %",
            f"{100 * one.price:.2f} %",
        )  # fmt: skip
    console.print(table)


def plot_floor(points: Sequence[Held], path: Path) -> None:
    """What is held, and what it costs, by floor."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    floors = [one.floor for one in points]
    left.plot(floors, [one.share for one in points], "o-", color="#1d3557", label="held")
    left.plot(floors, floors, "--", color="#999", label="floor")
    left.axhline(points[0].without, color="#e07a5f", label="without a floor")
    left.set_ylabel("exposure of new items, share")
    right.plot(floors, [100 * one.lost for one in points], "o-", color="#1d3557", label="of worth")
    right.plot(floors, [100 * one.price for one in points], "s--", color="#4a6fa5",
               label="as the controller counts it")  # fmt: skip
    right.set_ylabel("NDCG@10 lost, %")
    for axis in (left, right):
        axis.set_xlabel("floor")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
