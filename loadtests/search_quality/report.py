"""What was measured, as tables, and as JSON: by test set, group and ranker, with intervals."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from loadtests.search_quality.cases import Case
from loadtests.search_quality.measures import DEPTH, MEASURES, Measures, taken
from serving.training.quality import interval, mean_known

OURS = "vitrine"  # asked by a stranger
COMPARED = ("ndcg@10", "precision@10")  # with intervals, and as paired differences
DIMENSIONS = ("kind", "language", "length")
N_WORST = 20


@dataclass(frozen=True, slots=True)
class TestSet:
    """What several rankers are worth on the same cases; `measures` by ranker."""

    name: str
    cases: list[Case]
    measures: dict[str, Measures]

    def groups(self) -> dict[tuple[str, str], npt.NDArray[np.bool_]]:
        """The cases (n,) of each (dimension, value), "all" first."""
        of = [case.groups() for case in self.cases]
        names = sorted(
            {group for groups in of for group in groups}, key=lambda g: (g[0] != "all", g)
        )
        return {name: np.array([name in groups for groups in of], bool) for name in names}


@dataclass(slots=True)
class Report:
    """All that a run found; `answers` are those of search to a stranger."""

    dataset: str
    n_items: int
    test_sets: list[TestSet] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    routes: dict[str, int] = field(default_factory=dict)
    answers: list[tuple[Case, list[str]]] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One a test set, group and ranker; [mean, low, high] at 95 %, and ours minus this."""
        for test_set in self.test_sets:
            ours = test_set.measures[OURS]
            for (dimension, group), chosen in test_set.groups().items():
                for ranker, measures in test_set.measures.items():
                    part, reference = taken(measures, chosen), taken(ours, chosen)
                    yield {
                        "test_set": test_set.name,
                        "dimension": dimension,
                        "group": group,
                        "ranker": ranker,
                        "queries": int(chosen.sum()),
                        **{name: mean_known(part[name]) for name in MEASURES},
                        **{f"{name} interval": interval(part[name]) for name in COMPARED},
                        **{
                            f"ours minus this, {name}": interval(reference[name] - part[name])
                            for name in COMPARED
                        },
                    }


def write(report: Report, rows: list[dict[str, Any]], path: Path) -> None:
    """Write all figures, and of each query what a stranger got."""
    searched = report.test_sets[0].measures[OURS]
    content = {
        "dataset": report.dataset,
        "items": report.n_items,
        "compared_with": OURS,
        "measures": MEASURES,
        "notes": report.notes,
        "routes": report.routes,
        "rows": rows,
        "queries": [
            {
                "query": case.query,
                "kind": case.kind,
                "split": case.split,
                "relevant": len(case.relevant),
                **{name: _plain(values[place]) for name, values in searched.items()},
                "first": [report.titles.get(item, item) for item in answer[:DEPTH]],
            }
            for place, (case, answer) in enumerate(report.answers)
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_without_nan(content), indent=1, ensure_ascii=False) + "\n")


def show(report: Report, rows: list[dict[str, Any]], console: Console) -> None:
    """Print all rankers over all queries, ours by group, and the queries that it answers worst."""
    for test_set in report.test_sets:
        own = [row for row in rows if row["test_set"] == test_set.name]
        _show_rankers(report, [row for row in own if row["dimension"] == "all"], console)
        if test_set.name != "rank":
            _show_groups([row for row in own if row["dimension"] in DIMENSIONS], console)
    _show_worst(report, console)
    told = ", ".join(f"{n} {route}" for route, n in sorted(report.routes.items()))
    console.print(f"answered by: {told}", markup=False)
    for note in report.notes:
        console.print(note, markup=False)


def _show_rankers(report: Report, rows: list[dict[str, Any]], console: Console) -> None:
    title = f"{report.dataset}, {rows[0]['test_set']}: {rows[0]['queries']} queries"
    table = _table(title, "ranker", "NDCG@10", "95 %", "P@10", "95 %", "shown", "R@50", "empty",
                   "title", "ours - this, P@10")  # fmt: skip
    for row in rows:
        gain, low, high = row["ours minus this, precision@10"]
        difference = f"{gain:+.3f} [{low:+.3f}, {high:+.3f}]"
        table.add_row(
            row["ranker"], _cell(row["ndcg@10"]), _range(row["ndcg@10 interval"]),
            _cell(row["precision@10"]), _range(row["precision@10 interval"]),
            *(_cell(row[name]) for name in ("shown@10", "recall@50", "empty", "title@3")),
            "" if row["ranker"] == OURS else difference,
        )  # fmt: skip
    console.print(table)


def _show_groups(rows: list[dict[str, Any]], console: Console) -> None:
    """Ours in each group, and whoever is best of the others there."""
    table = _table(f"{rows[0]['test_set']}, by group", "group", "n", "NDCG@10", "P@10", "95 %",
                   "shown", "R@50", "empty", "best other, P@10")  # fmt: skip
    groups = dict.fromkeys((row["dimension"], row["group"]) for row in rows)
    for dimension, group in groups:
        here = [row for row in rows if (row["dimension"], row["group"]) == (dimension, group)]
        ours = next(row for row in here if row["ranker"] == OURS)
        others = [row for row in here if row is not ours and row["precision@10"] is not None]
        other = max(others, key=lambda row: row["precision@10"], default=None)
        table.add_row(
            f"{dimension}: {group}", str(ours["queries"]), _cell(ours["ndcg@10"]),
            _cell(ours["precision@10"]), _range(ours["precision@10 interval"]),
            *(_cell(ours[name]) for name in ("shown@10", "recall@50", "empty")),
            f"{_cell(other['precision@10'])} {other['ranker']}" if other else "",
        )  # fmt: skip
    console.print(table)


def _show_worst(report: Report, console: Console) -> None:
    precision = report.test_sets[0].measures[OURS]["precision@10"]
    order = [place for place in np.argsort(precision, kind="stable") if precision[place] < 1.0]
    table = _table("answered worst, to a stranger", "query", "kind", "relevant", "P@10", "first")
    for place in order[:N_WORST]:
        case, answer = report.answers[place]
        first = " | ".join(report.titles.get(item, item)[:36] for item in answer[:3])
        table.add_row(case.query[:40], case.kind, str(len(case.relevant)),
                      _cell(float(precision[place])), first)  # fmt: skip
    if order:
        console.print(table)


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for name in columns:
        table.add_column(name, justify="left" if name in ("kind", "first") else "right")
    return table


def _cell(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.3f}"


def _range(values: tuple[float, float, float]) -> str:
    return "" if np.isnan(values[0]) else f"{values[1]:.3f}-{values[2]:.3f}"


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _without_nan(content: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(content, dict):
        return {name: _without_nan(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and np.isnan(content) else content
