"""The measured table: by test set, ranker and group, with paired intervals against ours."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from features.arrays import FloatArray
from serving.training.data.slates import Slates
from serving.training.quality import coverage, interval, mean_known, quality


@dataclass(slots=True)
class Report:
    """`rows`: one a test set, ranker and group; intervals are [mean, low, high] at 95 %."""

    dataset: str
    ours: str  # the ranker that the others are compared with
    validation: dict[str, float]
    rows: list[dict[str, Any]] = field(default_factory=list)


def add_rows(
    report: Report,
    test_set: str,
    slates: Slates,
    scores: dict[str, FloatArray],
    groups: dict[str, npt.NDArray[np.bool_]],
) -> None:
    """Measure each ranker's `scores` (R,) on the slates of each group, bool (n,)."""
    measured = {name: quality(raw, slates.labels, slates.offsets) for name, raw in scores.items()}
    reference = measured[report.ours]
    for group, chosen in groups.items():
        if not chosen.any():
            continue
        for name, metrics in measured.items():
            part = metrics.take(chosen)
            gain = reference.ndcg[chosen] - part.ndcg
            report.rows.append(
                {
                    "test_set": test_set,
                    "group": group,
                    "ranker": name,
                    "cases": int(chosen.sum()),
                    "ndcg@10": interval(part.ndcg),
                    "hit_rate@10": mean_known(part.hit_rate),
                    "mrr": mean_known(part.reciprocal_rank),
                    "auc": mean_known(part.auc),
                    "coverage": coverage(scores[name], slates.item_rows, slates.offsets)
                    if group == "all"
                    else None,
                    "ours_minus_this": interval(gain),
                }
            )


def show(report: Report, console: Console) -> None:
    """Print one table a test set and group."""
    for test_set, group in dict.fromkeys((row["test_set"], row["group"]) for row in report.rows):
        rows = [r for r in report.rows if (r["test_set"], r["group"]) == (test_set, group)]
        title = f"{report.dataset}: {test_set}, {group}, {rows[0]['cases']} cases"
        table = Table(title=title, title_justify="left")
        for name in ("ranker", "NDCG@10", "95 %", "HR@10", "MRR", "AUC", "cov.", "ours - this"):
            table.add_column(name, justify="left" if name == "ranker" else "right")
        for row in rows:
            mean, low, high = row["ndcg@10"]
            gain, worst, best = row["ours_minus_this"]
            table.add_row(
                row["ranker"],
                f"{mean:.4f}",
                f"{low:.3f}-{high:.3f}",
                _cell(row["hit_rate@10"]),
                _cell(row["mrr"]),
                _cell(row["auc"]),
                _cell(row["coverage"], 2),
                "" if row["ranker"] == report.ours else f"{gain:+.4f} [{worst:+.3f}, {best:+.3f}]",
            )
        console.print(table)


def _cell(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def write(report: Report, folder: Path) -> None:
    """Write evaluate-<data set>.json and .png into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"evaluate-{report.dataset}.json"
    content = {
        "dataset": report.dataset,
        "compared_with": report.ours,
        "validation": report.validation,
        "rows": report.rows,
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    _plot(report, path.with_suffix(".png"))


def _plot(report: Report, path: Path) -> None:
    from matplotlib.figure import Figure  # slow to import, and only needed here

    sets = list(dict.fromkeys(row["test_set"] for row in report.rows))
    figure = Figure(figsize=(5.2 * len(sets), 5.0), layout="constrained")
    for place, test_set in enumerate(sets, start=1):
        rows = [r for r in report.rows if r["test_set"] == test_set and r["group"] == "all"]
        rows.sort(key=lambda row: row["ndcg@10"][0])
        axes = figure.add_subplot(1, len(sets), place)
        means = np.array([row["ndcg@10"][0] for row in rows])
        errors = np.abs(np.array([row["ndcg@10"][1:] for row in rows]).T - means)
        colours = ["tab:blue" if r["ranker"].startswith("ours") else "tab:gray" for r in rows]
        axes.barh([row["ranker"] for row in rows], means, xerr=errors, color=colours)
        axes.set_title(f"{report.dataset}: {test_set}")
        axes.set_xlabel("NDCG@10, 95 % interval")
    figure.savefig(path, dpi=110)
