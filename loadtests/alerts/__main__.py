"""`make alert-proofs`: simulated years of alerts on labels. docs/classify.md, "What an alert sees".

Prints a table, writes `alerts.json` and `alerts.png`. Exit status 1 when at some volume there are
more false alarms a month than declared, or when where alerts say that there is enough to see such
a rise fewer than 95 % of the planted ones are found within two windows.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from features.telemetry.progress import StepProgress
from loadtests.alerts.played import Finding, finding, play
from loadtests.alerts.plot import draw
from loadtests.alerts.streams import YEAR_DAYS, simulated
from serving.shops.alerts.baseline import Window
from serving.shops.alerts.judging import Criterion

RISE = 0.5
RISE_DAYS = {Window.HOUR: 1, Window.DAY: 7}
EVERY_DAYS = {Window.HOUR: 15, Window.DAY: 45}  # a year full of rises is a usual one
VOLUMES = {Window.HOUR: (100, 1_000, 3_000, 10_000, 30_000), Window.DAY: (10, 30, 100, 300, 1_000)}
FOUND = 0.95


def main() -> int:
    """Play all years."""
    given = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 140)
    findings = []
    with StepProgress(console) as progress:
        task = progress.add_task("years", total=sum(len(each) for each in VOLUMES.values()))
        for one in _findings(given.years, given.false_alarms, given.seed):
            findings.append(one)
            progress.advance(task)
    console.print(_table(findings))
    given.out.mkdir(parents=True, exist_ok=True)
    document = {
        "rise": RISE, "false_alarms_a_month": given.false_alarms,
        "findings": [asdict(one) for one in findings],
    }  # fmt: skip
    (given.out / "alerts.json").write_text(json.dumps(document, indent=1) + "\n")
    draw(findings, given.false_alarms, given.out / "alerts.png")
    enough = [one for one in findings if one.promised <= RISE]
    kept = all(one.false_a_month <= given.false_alarms for one in findings)
    found = bool(enough) and all(one.found_in_two >= FOUND for one in enough)
    told = "kept" if kept else "NOT KEPT"
    console.print(f"false alarms {told}, rises {'found' if found else 'MISSED'}")
    return 0 if kept and found else 1


def _findings(years: int, false_alarms: float, seed: int) -> Iterator[Finding]:
    for window, volumes in VOLUMES.items():
        criterion = Criterion.of(window, false_alarms, 1, 0.2)
        a_day = 24 if window is Window.HOUR else 1
        lasts = RISE_DAYS[window] * a_day
        for place, volume in enumerate(volumes):
            seeds = range(seed + place * years, seed + (place + 1) * years)
            without = [play(simulated(window, volume, one), criterion) for one in seeds]
            planted = [
                play(
                    simulated(window, volume, one, RISE, EVERY_DAYS[window], RISE_DAYS[window]),
                    criterion,
                    lasts,
                )
                for one in seeds
            ]
            yield finding(window, volume, without, planted, YEAR_DAYS * a_day)


def _table(findings: list[Finding]) -> Table:
    title = f"rises of {RISE:.0%}, windows by the hour and the day"
    table = Table(box=box.SIMPLE_HEAD, title=title)
    for name in (
        "window", "texts a day", "false a month", "worst month", "most in a year", "planted",
        "found in two", "found at all", "expected there", "promised rise",
    ):  # fmt: skip
        table.add_column(name, justify="left" if name == "window" else "right")
    for one in findings:
        table.add_row(
            one.window.value, f"{one.per_day:,.0f}", f"{one.false_a_month:.2f}",
            str(one.worst_month), str(one.most_in_a_year), str(one.planted),
            f"{one.found_in_two:.3f}", f"{one.found_at_all:.3f}", f"{one.usual:,.1f}",
            f"{one.promised:.2f}",
        )  # fmt: skip
    return table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--years", type=int, default=10, help="of each volume and window")
    parser.add_argument("--false-alarms", type=float, default=1.0, help="a month, as declared")
    parser.add_argument("--seed", type=int, default=2000, help="none that anything was chosen by")
    parser.add_argument("--out", type=Path, default=Path("build/alerts"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
