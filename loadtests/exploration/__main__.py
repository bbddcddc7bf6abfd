"""`make exploration`: what exploration costs and gains in the simulated shop. docs/experiments.md.

Prints a table, writes `exploration.json` and `exploration.png`. Exit status 1 when no policy gains
more than it costs and finds new items twice as fast; 2: the objective cannot be read.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from features.objective import Objective, ObjectiveError
from features.telemetry.progress import StepProgress
from loadtests.exploration.findings import Finding, finding
from loadtests.exploration.learner import RANKERS, Ranker
from loadtests.exploration.play import Course, play, warmed_up, without_chance
from loadtests.exploration.plot import draw
from loadtests.exploration.shop import DAYS, WARM_UP_DAYS, Shop
from serving.experiments.worth import add_objective, objective_of
from serving.shops.rules import Rules

WITHOUT = "none"
_OFTEN = {"position": 6, "max_exposure": 50}


def policies() -> dict[str, Rules]:
    """What is compared, by name."""
    return {
        WITHOUT: without_chance(),
        "uplift .05 (default)": Rules(),
        "uplift .3": _rules(share=0.3, **_OFTEN),
        "Thompson .5": _rules(share=0.5, choice="thompson", epsilon=0.1, **_OFTEN),
        "drawn": _rules(share=0, sampling={"share": 1.0, "temperature": 0.1}),
        "drawn from place 5": _rules(
            share=0, sampling={"share": 1.0, "temperature": 0.25, "first": 5, "among": 20}
        ),
    }


def _rules(**exploration: object) -> Rules:
    return Rules.model_validate({"exploration": exploration})


def main() -> int:
    """Play every policy in every shop, and compare."""
    given = _arguments()
    try:
        objective = objective_of(given)
    except ObjectiveError as error:
        print(error, file=sys.stderr)
        return 2
    console = Console(width=None if sys.stdout.isatty() else 160)
    courses: dict[Ranker, dict[str, list[Course]]] = {
        ranker: {name: [] for name in policies()} for ranker in RANKERS
    }
    with StepProgress(console=console) as progress:
        task = progress.add_task("shops played", total=given.shops * len(RANKERS) * len(policies()))
        for seed in range(given.shops):
            shop = Shop.drawn(seed, given.items, given.rankings, objective)
            for ranker in RANKERS:
                learner = warmed_up(shop, ranker, seed)
                for name, rules in policies().items():
                    courses[ranker][name].append(play(shop, learner, rules, seed))
                    progress.advance(task)
    findings = {ranker: _findings(played) for ranker, played in courses.items()}
    folder: Path = given.out
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "exploration.json"
    report.write_text(json.dumps(_as_json(given, objective, courses, findings), indent=2) + "\n")
    draw(courses, WITHOUT, findings, folder / "exploration.png")
    console.print(_table(given, findings))
    console.print(f"report: {report}", markup=False)
    held = [found.pays and found.twice_as_fast for each in findings.values() for found in each]
    return 0 if any(held) else 1


def _findings(courses: dict[str, list[Course]]) -> list[Finding]:
    without = courses[WITHOUT]
    return [finding(name, made, without) for name, made in courses.items() if name != WITHOUT]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shops", type=int, default=4, help="drawn, at least two")
    parser.add_argument("--items", type=int, default=1_500)
    parser.add_argument("--rankings", type=int, default=100, help="a day")
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    add_objective(parser)
    given = parser.parse_args()
    if given.shops < 2:
        parser.error("--shops: an interval needs at least two")
    return given


def _as_json(
    given: argparse.Namespace,
    objective: Objective,
    courses: Mapping[Ranker, Mapping[str, list[Course]]],
    findings: Mapping[Ranker, list[Finding]],
) -> dict[str, object]:
    return {
        "shops": given.shops,
        "items": given.items,
        "rankings_a_day": given.rankings,
        "days": DAYS,
        "warm_up_days": WARM_UP_DAYS,
        "objective": objective.model_dump(),
        "policies": {name: rules.exploration.model_dump() for name, rules in policies().items()},
        "findings": {
            ranker: [
                {**asdict(found), "pays": found.pays, "twice_as_fast": found.twice_as_fast}
                for found in each
            ]
            for ranker, each in findings.items()
        },
        "courses": {
            ranker: {name: [asdict(course) for course in made] for name, made in played.items()}
            for ranker, played in courses.items()
        },
    }


def _table(given: argparse.Namespace, findings: Mapping[Ranker, list[Finding]]) -> Table:
    table = Table(
        title=f"simulated: {given.shops} shops, {given.items} items, {given.rankings} rankings a "
        f"day, {DAYS} days; % of the reward without exploration [95 % interval over shops]",
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    for name in ("ranked by", "exploration"):
        table.add_column(name, no_wrap=True)
    for name in (
        "gain on\nday 30",
        "cost\na day",
        "gain - cost",
        "net,\nall days",
        "sooner,\ntimes",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("pays,\ntwice as fast", no_wrap=True)
    for ranker, each in findings.items():
        for found in each:
            yes = ["yes" if held else "no" for held in (found.pays, found.twice_as_fast)]
            table.add_row(
                ranker, found.name, str(found.gain), str(found.cost), str(found.beyond),
                str(found.net), str(found.sooner), ", ".join(yes),
            )  # fmt: skip
    return table


if __name__ == "__main__":
    sys.exit(main())
