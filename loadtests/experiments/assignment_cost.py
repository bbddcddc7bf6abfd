"""What experiments cost a ranking in processor time: the draw of its arms, the metric, the log.

    python -m loadtests.experiments.assignment_cost

The same requests with no experiment, with one, and with four at once beside a holdout, in turns, by
the code that serves: arms are drawn and counted (in one process), and the records of 200 rankings
go to an event log in a file as the recorder writes them. What experiments cost is the difference to
none. Writes build/reports/assignment-cost.json. Exit status 1 when that is surely above the bar.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from features.behavior.matrix import Shopper
from features.controls.shops import DEFAULT_SHOP
from features.events.log import RankingRecord
from features.events.sqlite_log import SqliteEventLog
from features.telemetry.progress import tracked
from serving.experiments.assignment import Assigner, Assignment, unit_of
from serving.experiments.draw import Asked
from serving.shops.rules import Rules
from serving.telemetry.metrics import EXPERIMENT_RANKINGS
from serving.training.quality import interval

BAR_MS = 0.1
RANKINGS, CANDIDATES, FEATURES = 200, 50, 60
_EVEN = [{"key": "control"}, {"key": "new", "rules": {"diversity": {"max_same": 2}}}]
_OTHER = [{"key": "control"}, {"key": "new"}]
DECLARED: dict[str, dict[str, Any]] = {
    "none": {},
    "one": {"experiments": [{"key": "wider", "status": "running", "arms": _EVEN}]},
    "four, a holdout": {
        "experiments": [
            {"key": "wider", "status": "running", "arms": _EVEN},
            *(
                {
                    "key": f"other-{number}", "status": "running", "arms": _OTHER,
                    "namespace": {"id": f"line-{number}", "range": [0, 1]},
                }
                for number in range(3)
            ),
        ],
        "holdout": {"share": 0.05},
    },
}  # fmt: skip
PARTS = ("draw", "metric", "log")


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--rounds", type=int, default=100, help="of 200 rankings each, at least two"
    )
    parser.add_argument("--out", type=Path, default=Path("build/reports/assignment-cost.json"))
    given = parser.parse_args()
    if given.rounds < 2:
        parser.error("--rounds: an interval needs at least two")
    console = Console(width=None if sys.stdout.isatty() else 120)
    found = measured(given.rounds, console)
    report = {name: told(found[name], found["none"]) for name in DECLARED}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(report, indent=2) + "\n")
    _show(report, console)
    console.print(f"report: {given.out}", markup=False)
    return 1 if any(each["more"]["low"] > BAR_MS for each in report.values()) else 0


def measured(rounds: int, console: Console) -> dict[str, np.ndarray[Any, Any]]:
    """Processor ms a ranking by what is declared: (rounds, parts)."""
    assigners = {
        name: Assigner(Rules.model_validate(declared), "shop")
        for name, declared in DECLARED.items()
    }
    times: dict[str, list[list[float]]] = {name: [] for name in DECLARED}
    with tempfile.TemporaryDirectory() as folder:
        log = SqliteEventLog(Path(folder) / "events.db")
        try:
            for number in tracked(range(rounds + 1), "rounds", console):
                for name, assigner in assigners.items():
                    spent = _round(assigner, log, number)
                    if number:  # the first one loads what is loaded once
                        times[name].append(spent)
        finally:
            log.close()
    return {name: np.array(spent) for name, spent in times.items()}


def told(spent: np.ndarray[Any, Any], without: np.ndarray[Any, Any]) -> dict[str, dict[str, float]]:
    """Mean ms a ranking by part, and what is more than without experiments, by round."""
    mean, low, high = interval(spent.sum(axis=1) - without.sum(axis=1))
    return {
        "ms": dict(zip(PARTS, spent.mean(axis=0).tolist(), strict=True)),
        "more": {"mean": float(mean), "low": float(low), "high": float(high)},
    }


def _round(assigner: Assigner, log: SqliteEventLog, number: int) -> list[float]:
    names = [f"{number:016x}{each:016x}" for each in range(RANKINGS)]
    asked = Asked("rank", "en", "home", known=True)
    began_s = time.process_time()
    drawn = [assigner.assign(unit_of(name, None, Shopper()), asked) for name in names]
    drawn_s = time.process_time()
    for assignment in drawn:
        for exposure in assignment.exposures:
            EXPERIMENT_RANKINGS.labels(
                DEFAULT_SHOP, exposure.experiment, exposure.variant, "model", "none"
            ).inc()
    counted_s = time.process_time()
    records = [_record(name, each) for name, each in zip(names, drawn, strict=True)]
    made_s = time.process_time()
    log.append_rankings(records)
    logged_s = time.process_time()
    parts = (drawn_s - began_s, counted_s - drawn_s, logged_s - made_s)
    return [1000 * seconds / RANKINGS for seconds in parts]


def _record(name: str, assignment: Assignment) -> RankingRecord:
    """As serving/ranking/recorder.py makes it."""
    draw = np.random.default_rng(int(name, 16))
    features = draw.normal(size=(CANDIDATES, FEATURES)).astype(np.float16)
    features[:, ::2] = np.round(features[:, ::2])  # counts and flags: half of what is known
    return RankingRecord(
        name, time.time(), "model", tuple(f"i{n:07d}" for n in draw.integers(10_000, size=50)),
        name, f"s{name}", "oat milk", "7", draw.normal(size=CANDIDATES).astype(np.float32),
        np.ones(CANDIDATES, np.float32), features, assignment.variant, assignment.exposures,
    )  # fmt: skip


def _show(report: dict[str, dict[str, dict[str, float]]], console: Console) -> None:
    table = Table(title="processor ms a ranking", title_justify="left")
    table.add_column("experiments")
    for name in (*PARTS, "more than none [95 %]", f"bar {BAR_MS:g}"):
        table.add_column(name, justify="right")
    for name, each in report.items():
        more = each["more"]
        table.add_row(
            name, *(f"{each['ms'][part]:.4f}" for part in PARTS),
            f"{more['mean']:.4f} [{more['low']:.4f}, {more['high']:.4f}]",
            "above" if more["low"] > BAR_MS else "met" if more["high"] <= BAR_MS else "open",
        )  # fmt: skip
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
