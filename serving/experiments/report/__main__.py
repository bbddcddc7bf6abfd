"""Reads an experiment from the shop's log and archive or from two tables, publishes all with the
KPIs of placements, plans one.

    python -m serving.experiments.report of wider --state .vitrine/grocery
    python -m serving.experiments.report publish --store store.json --rules rules.yaml
    python -m serving.experiments.report read --exposures E.parquet --outcomes O.parquet \\
        --arms control=.5 new=.5
    python -m serving.experiments.report plan --mean 2.1 --deviation 6.4 --lift .05
"""

import argparse
import re
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from features.controls.shops import DEFAULT_SHOP
from features.full import AWAY, StoreFullError
from features.objective import ObjectiveError
from features.store.backends import open_controls
from features.store.chosen import add_store, store_of
from features.store.kept import open_kept
from serving.experiments.report.interleaved import told as interleaved
from serving.experiments.report.interleaved.credit import picks_of
from serving.experiments.report.interleaved.reading import InterleavedReading
from serving.experiments.report.interleaved.reading import read as read_interleaved
from serving.experiments.report.metrics import CAP, REWARD
from serving.experiments.report.own_log import Placed, data_of, plan_of
from serving.experiments.report.plan import Data, Plan
from serving.experiments.report.plot import draw
from serving.experiments.report.publish import publish_of, publish_registered
from serving.experiments.report.reading import read
from serving.experiments.report.result import ExperimentReading
from serving.experiments.report.shoppers import ExperimentDataError
from serving.experiments.report.table import show
from serving.experiments.statistics.correction import Correction
from serving.experiments.statistics.planner import Question, plan
from serving.experiments.statistics.sequence import ALPHA, TUNED_TO
from serving.experiments.worth import add_objective, objective_of
from serving.shops.experiments import Kind
from serving.shops.placements.placement import worth_upon
from serving.shops.rules import RulesError, read_rules
from serving.shops.steering.in_force import in_force


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 read, 1 the sample ratio forbids it, 2 with one line: cannot be read."""
    given = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 150)
    try:
        return int(given.run(given, console))
    except (
        ExperimentDataError, ObjectiveError, RulesError, StoreFullError, OSError, ValueError, *AWAY,
    ) as error:  # fmt: skip
        print(error, file=sys.stderr)
        return 2


def _read(given: argparse.Namespace, console: Console) -> int:
    weights = dict(_weight(arm) for arm in given.arms)
    how = Plan(
        experiment=given.name, control=given.control or next(iter(weights)), weights=weights,
        deciding=REWARD.capped(given.cap), segments=tuple(given.segments), looks=given.looks,
        alpha=given.alpha, correction=Correction(given.correction),
    )  # fmt: skip
    data = Data(_table(given.exposures), _table(given.outcomes))
    return _told(read(how, data, _until_s(given)), given, console)


def _told(reading: ExperimentReading, given: argparse.Namespace, console: Console) -> int:
    name = f"experiment-{re.sub(r'[^A-Za-z0-9._-]', '-', reading.experiment)}"
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / f"{name}.json").write_text(reading.model_dump_json(indent=1) + "\n")
    picture = given.out / f"{name}.png"
    if isinstance(reading, InterleavedReading):
        interleaved.show(reading, console)
        interleaved.draw(reading, picture)
    else:
        show(reading, console)
        draw(reading, picture)
    console.print(f"report: {given.out / name}.json, .png", markup=False)
    return 1 if reading.sample_ratio.state == "mismatch" else 0


def _until_s(given: argparse.Namespace) -> float:
    return time.time() if given.until is None else float(given.until)


def _of(given: argparse.Namespace, console: Console) -> int:
    store = store_of(given)
    with closing(open_controls(store)) as controls:
        found = in_force(read_rules(_rules(given)), controls)
    declared = {each.key: each for each in found.rules.experiments}
    if given.key in found.left_out:
        raise ExperimentDataError(f"{given.key}: not in force: {found.left_out[given.key]}")
    if given.key not in declared:
        known = ", ".join(declared) or "none"
        raise ExperimentDataError(f"no experiment {given.key!r}; declared: {known}")
    experiment = declared[given.key]
    objective = worth_upon(objective_of(given), found.rules.objective)
    until_s = _until_s(given)
    with open_kept(store) as both:
        placed = Placed.of(experiment, found.rules.placements, both.events())
        how = replace(
            plan_of(experiment, given.cap, placed.placements), looks=given.looks,
            alpha=given.alpha, correction=Correction(given.correction),
        )  # fmt: skip
        kept = both.rankings(), both.events()
        if experiment.kind is Kind.INTERLEAVE:
            picks = picks_of(experiment, *kept, objective, until_s)
            return _told(read_interleaved(how, picks, until_s), given, console)
        data = data_of(experiment, *kept, objective, placed)
        return _told(read(how, data, until_s), given, console)


def _publish(given: argparse.Namespace, console: Console) -> int:
    store, objective = store_of(given), objective_of(given)
    publish_of(store, read_rules(_rules(given)), objective, console)
    if given.shop == DEFAULT_SHOP:  # all others have their rules where they are registered
        publish_registered(store, objective, console)
    return 0


def _rules(given: argparse.Namespace) -> Path:
    rules: Path | None = given.rules or (given.state and given.state / "rules.yaml")
    if rules is None:
        raise ExperimentDataError("rules: name the file that declares the experiments")
    return rules


def _plan(given: argparse.Namespace, console: Console) -> int:
    question = Question(
        given.mean, given.deviation, given.lift, given.alpha, given.power,
        tuned_to=given.tuned_to, saved=given.saved, share=given.share,
    )  # fmt: skip
    table = Table(
        title=f"shoppers to find {given.lift:+.1%} with power {given.power:g} at alpha "
        f"{given.alpha:g}, all arms together",
        title_justify="left",
    )
    for name in ("read", "with the past", "without"):
        table.add_column(name, justify="right")
    if given.per_day:
        table.add_column("days", justify="right")
    for looks in ("daily", "once"):
        found = plan(replace(question, looks=looks))
        days = [f"{found.days(given.per_day):.1f}"] if given.per_day else []
        table.add_row(looks, f"{found.shoppers:,}", f"{found.shoppers_without_past:,}", *days)
    console.print(table)
    return 0


def _weight(arm: str) -> tuple[str, float]:
    name, _, weight = arm.partition("=")
    try:
        return name, float(weight or 1.0)
    except ValueError:
        raise ExperimentDataError(f"arms: {arm!r} is not of the form name=weight") from None


def _cap(text: str) -> float:
    try:
        cap = float(text)
    except ValueError:
        cap = 0.0
    if not 0.5 < cap <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not above .5 and up to 1")
    return cap


def _table(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".csv":
        return pd.read_csv(path, dtype={"unit": str, "arm": str})
    raise ExperimentDataError(f"{path}: a .parquet or .csv is needed")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.experiments.report", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(required=True)
    reads = commands.add_parser("read", help="read an experiment")
    reads.set_defaults(run=_read)
    reads.add_argument("--exposures", type=Path, required=True, help="unit, arm, first_exposed_s")
    reads.add_argument("--outcomes", type=Path, required=True, help="unit, at_s, reward, clicks...")
    reads.add_argument("--arms", nargs="+", required=True, metavar="NAME=WEIGHT")
    reads.add_argument("--control", default="", help="the first arm, when not named")
    reads.add_argument("--segments", nargs="*", default=[], help="columns of the exposures")
    reads.add_argument("--name", default="experiment")
    own = commands.add_parser("of", help="read a declared experiment from the shop's log")
    own.set_defaults(run=_of)
    own.add_argument("key", help="as rules or API declare it")
    publishes = commands.add_parser("publish", help="read all that run, and placements' KPIs")
    publishes.set_defaults(run=_publish)
    for command in (own, publishes):
        command.add_argument("--rules", type=Path, help="else the state folder's")
        add_store(command)
        add_objective(command)
    for command in (reads, own):
        command.add_argument(
            "--cap", type=_cap, default=CAP, help="quantile up to which a reward counts; 1: all"
        )
        command.add_argument("--until", type=float, help="unix seconds; now, when not given")
        command.add_argument("--looks", choices=("daily", "once"), default="daily")
        command.add_argument("--correction", choices=[*Correction], default="benjamini_hochberg")
        command.add_argument("--out", type=Path, default=Path("build/reports"))
    plans = commands.add_parser("plan", help="how many shoppers are needed")
    plans.set_defaults(run=_plan)
    plans.add_argument("--mean", type=float, required=True, help="of the metric, per shopper")
    plans.add_argument("--deviation", type=float, required=True, help="between shoppers")
    plans.add_argument("--lift", type=float, required=True, help=".05 = 5 %%")
    plans.add_argument("--power", type=float, default=0.8)
    plans.add_argument("--saved", type=float, default=0.0, help="share of variance by the past")
    plans.add_argument("--share", type=float, default=0.5, help="of shoppers in treatment")
    plans.add_argument("--per-day", type=float, help="new shoppers a day")
    plans.add_argument("--tuned-to", type=float, default=TUNED_TO)
    for command in (reads, own, plans):
        command.add_argument("--alpha", type=float, default=ALPHA)
    return parser


if __name__ == "__main__":
    sys.exit(main())
