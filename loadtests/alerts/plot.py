"""The findings as a picture: how sure a rise is found by how much there is to count."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from loadtests.alerts.played import Finding
from serving.shops.alerts.baseline import Window


def draw(findings: Sequence[Finding], false_a_month: float, png: Path) -> None:
    """Write the picture."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for window in Window:
        rows = [one for one in findings if one.window is window]
        volumes = [one.per_day for one in rows]
        left.plot(volumes, [one.found_in_two for one in rows], "o-", label=f"windows of a {window}")
        right.plot(volumes, [one.false_a_month for one in rows], "o-", label=f"{window}")
    left.set(xscale="log", xlabel="texts of the label a day", ylim=(0, 1.02))
    left.set(ylabel="found within two windows", title="rises of 50 %")
    right.set(xscale="log", xlabel="texts of the label a day", ylabel="a month")
    right.set(title="false alarms", ylim=(0, 1.2 * false_a_month))
    right.axhline(false_a_month, color="black", lw=0.8, ls=":", label="declared")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    png.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(png, dpi=80)
    plt.close(figure)
