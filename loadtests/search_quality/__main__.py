"""`make evaluate-search`: does search return what was asked? Judged queries over HTTP.

Against the stack at --url, or one of its own. Prints tables; writes search-<data set>.json and
.png. docs/quality.md explains the measures.
"""

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from features.datasets.format import Dataset, DatasetError
from features.datasets.registry import load
from loadtests.search_quality.asking import Asker, AskingError
from loadtests.search_quality.cases import Case, judged_cases, sampled
from loadtests.search_quality.evaluation import Evaluation, Plan
from loadtests.search_quality.plot import draw
from loadtests.search_quality.report import show, write
from loadtests.stack import fresh_state, run_stack
from serving.local.machine import free_port
from serving.local.state_folder import DEV_KEY


def main(arguments: list[str] | None = None) -> int:
    """The exit status; 2 when the data set or the stack cannot be used."""
    options = _options(arguments)
    # A log has no width of its own, and 80 columns cut the tables.
    console = Console(width=None if sys.stdout.isatty() else 150)
    try:
        dataset = load(options.data, options.cache, options.items)
        cases = sampled(judged_cases(dataset, options.split), options.queries, options.seed)
        if options.url:
            _evaluate(dataset, cases, options.url, options, console)
            return 0
        state = fresh_state(options.data, options.items)
        console.print("starting a stack")
        for stack in run_stack(state, free_port(), "--data", options.data):
            _evaluate(dataset, cases, stack.url, options, console)
    except (DatasetError, AskingError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _evaluate(
    dataset: Dataset, cases: list[Case], url: str, options: argparse.Namespace, console: Console
) -> None:
    asker = Asker(url, options.key, options.workers)
    asker.until_encoded()
    plan = Plan(
        options.shoppers, options.shopper_queries, not options.no_baselines, options.seed,
        options.threads, options.cache,
    )  # fmt: skip
    report = Evaluation(dataset, cases, asker, plan, console).run()
    rows = list(report.rows())
    show(report, rows, console)
    half = f"-{options.split}" if options.split else ""
    path = options.out / f"search-{report.dataset}{half}.json"
    write(report, rows, path)
    draw(rows, f"{report.dataset}: {len(cases)} judged queries", path.with_suffix(".png"))
    console.print(f"written: {path}, {path.with_suffix('.png').name}", markup=False)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make evaluate-search", description=__doc__)
    parser.add_argument("--data", default="grocery", help="grocery, or a folder with queries")
    parser.add_argument(
        "--url", help="a running stack of the same data; without it, one is started"
    )
    parser.add_argument("--key", default=os.environ.get("VITRINE_KEY", DEV_KEY))
    parser.add_argument("--items", type=int, default=10_000, help="size of the catalogue")
    parser.add_argument("--split", default="", choices=("", "dev", "test"), help="one half only")
    parser.add_argument("--queries", type=int, default=0, help="a sample of so many; 0: all")
    parser.add_argument("--shoppers", type=int, default=20, help="known ones, the heaviest")
    parser.add_argument("--shopper-queries", type=int, default=30, help="asked by each; 0: none")
    parser.add_argument("--no-baselines", action="store_true", help="ask the stack alone")
    parser.add_argument("--workers", type=int, default=2, help="requests at the same time")
    parser.add_argument("--threads", type=int, default=2, help="of the baselines")
    parser.add_argument("--seed", type=int, default=7, help="of samples and drawn candidates")
    parser.add_argument("--cache", type=Path, default=Path("build/data"))
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
