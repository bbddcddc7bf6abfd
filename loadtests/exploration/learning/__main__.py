"""Do logged propensities make a better ranker of what was explored? docs/experiments.md.

    python -m loadtests.exploration.learning --shops 6

Prints a table, writes `learning.json` and `learning.png`. Exit status 1 when no way of learning by
logged propensities surely earns more than training does today; 2: the objective cannot be read.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from features.objective import ObjectiveError
from features.telemetry.progress import tracked
from loadtests.exploration.findings import Interval, interval
from loadtests.exploration.learning.judging import Compared, Judged, compared, judge_all
from loadtests.exploration.learning.plot import draw
from loadtests.exploration.learning.record import record
from loadtests.exploration.learning.ways import PAIRS, TODAY, WAYS
from loadtests.exploration.shop import Shop
from serving.experiments.worth import add_objective, objective_of
from serving.shops.rules import Rules
from serving.training.data.propensities import MAX_INVERSE


def main() -> int:
    """Log, fit and judge in every shop, and compare."""
    given = _arguments()
    try:
        objective = objective_of(given)
    except ObjectiveError as error:
        print(error, file=sys.stderr)
        return 2
    console = Console(width=None if sys.stdout.isatty() else 130)
    sampling = {"share": 1.0, "temperature": given.temperature, "among": given.among}
    rules = Rules.model_validate({"exploration": {"share": 0, "sampling": sampling}})
    judged: list[dict[str, Judged]] = []
    costs: list[float] = []
    for seed in tracked(range(given.shops), "shops", console):
        shop = Shop.drawn(seed, given.items, given.rankings, objective)
        log = record(shop, rules, given.share, seed)
        costs.append(100 * given.share * log.cost / log.reward)
        judged.append(judge_all(log, given.clip, seed))
    found = {name: compared(judged, name, TODAY) for name in judged[0]}
    pairs = [(*pair, compared(judged, *pair)) for pair in PAIRS]
    cost = interval(np.array(costs))
    folder: Path = given.out
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "learning.json"
    told = {
        **{name: getattr(given, name) for name in
           ("shops", "items", "rankings", "share", "temperature", "among", "clip")},
        "objective": objective.model_dump(),
        "cost": asdict(cost),
        "compared": {name: asdict(each) for name, each in found.items()},
        "pairs": [{"way": a, "against": b, **asdict(each)} for a, b, each in pairs],
        "judged": [{name: asdict(one) for name, one in each.items()} for each in judged],
    }  # fmt: skip
    report.write_text(json.dumps(told, indent=2) + "\n")
    draw({name: found[name] for name in WAYS if name != TODAY}, TODAY, folder / "learning.png")
    console.print(_table(given, judged, found, cost))
    for name, against, each in pairs:
        more = f"{each.reward} % reward, {each.ndcg} points of NDCG@10"
        console.print(f"{name}, against {against}: {more}", markup=False, highlight=False)
    console.print(f"report: {report}", markup=False)
    return 0 if pays(found) else 1


def pays(found: Mapping[str, Compared]) -> bool:
    """Whether a head by logged propensities surely earns more than today's.

    The ways are several: each has to be sure by its own interval, and that is lenient.
    """
    return any(found[name].reward.low > 0 for name, way in WAYS.items() if way.by_chance)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shops", type=int, default=6, help="drawn, at least two")
    parser.add_argument("--items", type=int, default=1_000)
    parser.add_argument("--rankings", type=int, default=150, help="a day")
    parser.add_argument("--share", type=float, default=0.3, help="of rankings that are drawn")
    parser.add_argument("--temperature", type=float, default=0.25, help="of the draws")
    parser.add_argument("--among", type=int, default=20, help="items that a place is drawn of")
    parser.add_argument(
        "--clip", type=float, default=MAX_INVERSE, help="largest inverse of a logged propensity"
    )
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    add_objective(parser)
    given = parser.parse_args()
    if given.shops < 2:
        parser.error("--shops: an interval needs at least two")
    if not 0 < given.share < 1:
        parser.error("--share: above 0 and below 1")
    if given.clip < 1:
        parser.error("--clip: at least 1")
    if not 0.01 <= given.temperature <= 10:
        parser.error("--temperature: .01 to 10")
    if not 2 <= given.among <= 100:
        parser.error("--among: 2 to 100")
    return given


def _table(
    given: argparse.Namespace,
    judged: list[dict[str, Judged]],
    found: Mapping[str, Compared],
    cost: Interval,
) -> Table:
    table = Table(
        title=f"simulated: {given.shops} shops, {given.items} items, {given.rankings} rankings a "
        f"day; differences from: {TODAY} [95 % over shops]",
        caption=f"exploring {given.share:.0%} of the rankings cost {cost} % of the reward",
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("learnt from", no_wrap=True)
    for name in ("reward", "difference, %", "NDCG@10", "difference, points"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, each in found.items():
        mine = [one[name] for one in judged]
        table.add_row(
            name, f"{np.mean([one.reward for one in mine]):.3f}", str(each.reward),
            f"{np.mean([one.ndcg for one in mine]):.4f}", str(each.ndcg),
        )  # fmt: skip
    return table


if __name__ == "__main__":
    sys.exit(main())
