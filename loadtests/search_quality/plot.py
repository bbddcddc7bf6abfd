"""The report as a picture: rankers over all queries, and ours beside the best other by kind."""

from pathlib import Path
from typing import Any

import numpy as np

from loadtests.search_quality.report import OURS

Row = dict[str, Any]


def draw(rows: list[Row], title: str, path: Path) -> None:
    """Write the PNG at `path`."""
    from matplotlib.figure import Figure  # slow to import, and only needed here

    figure = Figure(figsize=(14.0, 5.5), layout="constrained")
    figure.suptitle(title)
    for place, name in enumerate(("search", "rank"), start=1):
        axes = figure.add_subplot(1, 3, place)
        own = [row for row in rows if (row["test_set"], row["dimension"]) == (name, "all")]
        own.sort(key=lambda row: row["ndcg@10"])
        means = np.array([row["ndcg@10"] for row in own])
        ends = np.array([row["ndcg@10 interval"][1:] for row in own])
        colours = ["tab:blue" if row["ranker"] == OURS else "tab:gray" for row in own]
        errors = np.abs(ends.T - means) if len(own) else None
        axes.barh([row["ranker"] for row in own], means, xerr=errors, color=colours)
        axes.set_xlim(0, 1)
        axes.set_title(f"{name}: NDCG@10, 95 % interval")
    axes = figure.add_subplot(1, 3, 3)
    kinds = [
        row
        for row in rows
        if (row["test_set"], row["dimension"]) == ("search", "kind")
        and row["precision@10"] is not None
    ]
    names = list(dict.fromkeys(row["group"] for row in kinds))
    places = np.arange(len(names))
    ours = [_precision(kinds, name, True) for name in names]
    others = [_precision(kinds, name, False) for name in names]
    axes.barh(places + 0.2, ours, 0.38, color="tab:blue", label=OURS)
    axes.barh(places - 0.2, others, 0.38, color="tab:gray", label="best other")
    axes.set_yticks(places, names)
    axes.set_xlim(0, 1)
    axes.set_title("search: precision@10 by kind")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _precision(rows: list[Row], group: str, own: bool) -> float:
    known = [
        row["precision@10"]
        for row in rows
        if row["group"] == group and (row["ranker"] == OURS) is own
    ]
    return max(known, default=0.0)
