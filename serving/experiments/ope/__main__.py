"""What another policy would have earned, from this shop's log.

    python -m serving.experiments.ope --state .vitrine/grocery --temperature 0 .5

Targets order by the logged scores, sampled at each temperature (0: not at all), or by the scores of
another ranker (--scores: ranking_id, item_id, score).
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
from rich.console import Console

from features.events.event import EventType
from features.objective import ObjectiveError
from features.store.chosen import add_store, store_of
from features.store.kept import open_kept
from serving.experiments.ope.estimators import Form
from serving.experiments.ope.evaluation import CLIP, PolicyValue, evaluate
from serving.experiments.ope.own_log import OwnLog, Scores, own_log
from serving.experiments.ope.policies import PlackettLuce
from serving.experiments.ope.report import show, write
from serving.experiments.ope.slates import OpeRefusedError, Propensities
from serving.experiments.ope.support import LEAST_EFFECTIVE
from serving.experiments.worth import add_objective, objective_of


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 estimated, 1 the log cannot say, 2 with one line: cannot be read."""
    given = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 150)
    try:
        store = store_of(given)
        scores = None if given.scores is None else _scores(given.scores)
        rewards = dict(_reward(each) for each in given.reward) or objective_of(given).label_weights
        policies = [PlackettLuce(temperature) for temperature in given.temperature]
    except (OSError, ValueError, ObjectiveError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        with open_kept(store) as kept:
            own = own_log(
                kept.rankings(), kept.events(), rewards, given.route or None, given.variant
            )
        console.print(f"{len(own.ranking_ids):,} of {own.read:,} rankings were explored")
        values = [_evaluated(own, policy, scores, given) for policy in policies]
    except OpeRefusedError as error:
        print(f"not said: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # an archive whose storage is away
        print(error, file=sys.stderr)
        return 2
    show(values, console)
    write(values, given.out)
    console.print(f"report: {given.out}", markup=False)
    return 1 if all(value.refused for value in values) else 0


def _evaluated(
    own: OwnLog, policy: PlackettLuce, scores: Scores | None, given: argparse.Namespace
) -> PolicyValue:
    kind = Propensities(given.propensities)
    form = Form.ITEM_POSITION if kind is Propensities.MARGINAL else Form.CASCADE
    slates = own.slates(policy, kind, given.depth, scores, given.seed)
    by = "logged scores" if scores is None else given.scores.name
    name = f"{by}, temperature {policy.temperature:g}"
    return evaluate(slates, form, name, given.clip, given.floor, given.seed)


def _scores(path: Path) -> Scores:
    table = pd.read_parquet(path)
    for column in ("ranking_id", "item_id", "score"):
        if column not in table:
            raise ValueError(f"{path}: column {column!r} is missing")
    keys = zip(table["ranking_id"].astype(str), table["item_id"].astype(str), strict=True)
    return dict(zip(keys, table["score"].astype(float).tolist(), strict=True))


def _reward(given: str) -> tuple[str, float]:
    name, _, weight = given.partition("=")
    try:
        return EventType(name).value, float(weight)
    except ValueError:
        raise ValueError(f"reward: {given!r} is not of the form event=weight") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.experiments.ope", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_store(parser)
    add_objective(parser)
    parser.add_argument("--temperature", type=float, nargs="+", default=[0.0], help="of targets")
    parser.add_argument("--scores", type=Path, help="another ranker's, as Parquet")
    parser.add_argument(
        "--reward", nargs="+", default=[], metavar="EVENT=WEIGHT", help="else the objective's"
    )
    parser.add_argument("--depth", type=int, default=5, help="places that are evaluated")
    parser.add_argument("--propensities", choices=[*Propensities], default="conditional")
    parser.add_argument("--route", default="model", help="of the rankings; '' for all")
    parser.add_argument("--variant", help="of the rankings; all, when not given")
    parser.add_argument("--clip", type=float, default=CLIP, help="weights above are cut off")
    parser.add_argument("--floor", type=float, default=LEAST_EFFECTIVE, help="effective rankings")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("build/reports/ope.json"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
