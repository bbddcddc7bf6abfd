"""A reading as a picture: the deciding metric by day, and all metrics at the end."""

from pathlib import Path
from typing import TYPE_CHECKING

from serving.experiments.report.result import EVERYBODY, ArmReading, ExperimentReading

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"better": "tab:green", "worse": "tab:red", "open": "tab:gray", "too few": "lightgray"}


def draw(reading: ExperimentReading, path: Path) -> None:
    """Write the PNG at `path`; a reading that stopped at the sample ratio shows that alone."""
    from matplotlib.figure import Figure  # slow to import, and only needed here

    rows = max(len(reading.arms), 1)
    figure = Figure(figsize=(12.0, 4.2 * rows), layout="constrained")
    figure.suptitle(reading.verdict.sentence, wrap=True, fontsize=10)
    if not reading.arms:
        ratio = reading.sample_ratio
        axes = figure.add_subplot(1, 1, 1)
        axes.bar([*ratio.counts], [*ratio.counts.values()], color="tab:red")
        total = sum(ratio.counts.values())
        expected = [ratio.expected[arm] * total for arm in ratio.counts]
        axes.plot([*ratio.counts], expected, "k_", markersize=60, label="expected")
        axes.set_ylabel("shoppers")
        axes.legend()
    for place, arm in enumerate(reading.arms):
        by_day = figure.add_subplot(rows, 2, 2 * place + 1)
        days = [point.day for point in arm.by_day]
        by_day.plot(days, [100 * point.lift for point in arm.by_day], color="tab:blue")
        by_day.fill_between(
            days, [100 * point.low for point in arm.by_day],
            [100 * point.high for point in arm.by_day], alpha=0.25,
        )  # fmt: skip
        by_day.axhline(0, color="black", linewidth=0.8)
        by_day.set_xlabel("days since the first exposure")
        by_day.set_ylabel(f"{arm.deciding.metric}, lift in %")
        by_day.set_title(f"{arm.arm} against {reading.control}")
        at_end = figure.add_subplot(rows, 2, 2 * place + 2)
        _draw_metrics(at_end, arm)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def _draw_metrics(axes: "Axes", arm: ArmReading) -> None:
    metrics = [arm.deciding, *arm.others, *(rail.reading for rail in arm.guard_rails)]
    for place, metric in enumerate(reversed(metrics)):
        if metric.lift is None or metric.low is None or metric.high is None:
            continue
        axes.plot(
            [100 * metric.low, 100 * metric.high], [place, place],
            color=_COLOURS[metric.finding], linewidth=3,
        )  # fmt: skip
        axes.plot([100 * metric.lift], [place], "ko", markersize=4)
    names = [m.metric if m.segment == EVERYBODY else m.segment for m in reversed(metrics)]
    axes.set_yticks(range(len(metrics)), names)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("lift in %")
    axes.set_title("at the end")
