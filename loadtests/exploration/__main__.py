"""`make exploration`: what exploration costs and gains in the simulated shop. docs/experiments.md.

Prints a table, writes `exploration.json` and `exploration.png`. Exit status 1 when no policy gains
more than it costs and finds new items twice as fast.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from features.telemetry.progress import StepProgress
from loadtests.exploration.findings import Finding, finding
from loadtests.exploration.play import Course, play, warmed_up, without_chance
from loadtests.exploration.plot import draw
from loadtests.exploration.shop import DAYS, WARM_UP_DAYS, Reward, Shop
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
        "drawn, share .3": _rules(share=0, sampling={"share": 0.3, "temperature": 0.25}),
        "drawn from place 5": _rules(
            share=0, sampling={"share": 1.0, "temperature": 0.25, "first": 5, "among": 20}
        ),
    }


def _rules(**exploration: object) -> Rules:
    return Rules.model_validate({"exploration": exploration})


def main() -> int:
    """Play every policy in every shop, and compare."""
    given = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 135)
    courses: dict[str, list[Course]] = {name: [] for name in policies()}
    with StepProgress(console=console) as progress:
        task = progress.add_task("shops played", total=given.shops * len(courses))
        for seed in range(given.shops):
            shop = Shop.drawn(seed, given.items, given.rankings, Reward())
            learner = warmed_up(shop, seed)
            for name, rules in policies().items():
                courses[name].append(play(shop, learner, rules, seed))
                progress.advance(task)
    findings = [
        finding(name, played, courses[WITHOUT])
        for name, played in courses.items()
        if name != WITHOUT
    ]
    folder: Path = given.out
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "exploration.json"
    report.write_text(json.dumps(_as_json(given, courses, findings), indent=2) + "\n")
    draw(courses, WITHOUT, findings, folder / "exploration.png")
    console.print(_table(given, findings))
    console.print(f"report: {report}", markup=False)
    return 0 if any(found.pays and found.twice_as_fast for found in findings) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shops", type=int, default=10, help="drawn, at least two")
    parser.add_argument("--items", type=int, default=1_000)
    parser.add_argument("--rankings", type=int, default=500, help="a day")
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    given = parser.parse_args()
    if given.shops < 2:
        parser.error("--shops: an interval needs at least two")
    return given


def _as_json(
    given: argparse.Namespace, courses: dict[str, list[Course]], findings: list[Finding]
) -> dict[str, object]:
    return {
        "shops": given.shops,
        "items": given.items,
        "rankings_a_day": given.rankings,
        "days": DAYS,
        "warm_up_days": WARM_UP_DAYS,
        "reward": asdict(Reward()),
        "policies": {name: rules.exploration.model_dump() for name, rules in policies().items()},
        "findings": [
            {**asdict(found), "pays": found.pays, "twice_as_fast": found.twice_as_fast}
            for found in findings
        ],
        "courses": {
            name: [asdict(course) for course in played] for name, played in courses.items()
        },
    }


def _table(given: argparse.Namespace, findings: list[Finding]) -> Table:
    table = Table(
        title=f"simulated: {given.shops} shops, {given.items} items, {given.rankings} rankings a "
        f"day, {DAYS} days; % of the reward without, mean [95 % interval over shops]",
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("exploration", no_wrap=True)
    for name in (
        "gain on day 30", "cost a day", "gain - cost", "net, all days", "found", "sooner, times", ""
    ):  # fmt: skip
        table.add_column(name, justify="right", no_wrap=True)
    for found in findings:
        verdict = [
            "pays" if found.pays else "does not surely pay",
            *(["twice as fast"] if found.twice_as_fast else []),
        ]
        table.add_row(
            found.name, str(found.gain), str(found.cost), str(found.beyond), str(found.net),
            f"{found.found.mean:.0%}", str(found.sooner), ", ".join(verdict),
        )  # fmt: skip
    return table


if __name__ == "__main__":
    sys.exit(main())
