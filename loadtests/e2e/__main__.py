"""`make e2e`: install the chart on the cluster that KUBECONFIG names, and try everything on it.

Images must be on its nodes already (`make images`, `make kind`, or your registry in VALUES=). Load
comes from a pod in another namespace through the Service; every failed, rejected or hanging (over
2 s) request is counted by phase. Writes build/reports/e2e.json and e2e.png; with --write also
docs/cluster.md. The exit status is 1 when a bar was missed.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console

from helm.tools.kubernetes import CommandError
from loadtests.e2e import collected, disruptions, experiments, filling, growth, rollouts
from loadtests.e2e.profiles import install, reinstall, smallest
from loadtests.e2e.report import plot, plot_growth, table, write_page
from loadtests.e2e.scenario import Result, Scenario
from loadtests.e2e.shop import CHART, Shop
from loadtests.e2e.traffic import Traffic

REPORTS = Path("build/reports")
# The order matters: each begins where the one before left the release.
SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        disruptions.steady,
        disruptions.drain_the_only_worker,
        rollouts.upgrades,
        disruptions.drain_one_of_two,
        rollouts.rollbacks,
        disruptions.deletions,
        disruptions.redis_gone,
        rollouts.a_bad_image_and_back,
        filling.redis_full,
        filling.log_in_nats,
        rollouts.publish_and_roll_back,
        experiments.experiment,
        collected.retraining,
        collected.generated_load,
        disruptions.policies,
        growth.grow_and_shrink,
    )
}
_ENDINGS = {ending.__name__: ending for ending in (reinstall, smallest)}


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.e2e", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--values", type=Path, action="append", default=[], help="of Helm")
    parser.add_argument("--other-tag", default="", help="of an image of serving, to upgrade to")
    names = [*SCENARIOS, *_ENDINGS]
    parser.add_argument("--only", action="append", default=[], choices=names, help="once for each")
    parser.add_argument("--keep", action="store_true", help="use what is installed")
    parser.add_argument("--rate", type=float, default=10.0, help="rankings a second")
    parser.add_argument("--write", action="store_true", help="docs/cluster.md")
    given = parser.parse_args()
    began_s = time.monotonic()
    console = Console(highlight=False, soft_wrap=True)
    shop = Shop(given.values or [CHART / "ci" / "default.yaml"], given.other_tag)
    wanted = given.only or names
    results: list[Result] = []
    if not given.keep:
        results.append(attempt("install", console, partial(install, shop)))
    traffic = shop.traffic(given.rate)
    traffic.start()
    for name, scenario in SCENARIOS.items():
        if name in wanted:
            results.append(attempt(name, console, partial(scenario, shop, traffic)))
            count(results, traffic, console)
    last_s = max([span.told_s for each in results for span in each.spans], default=0.0)
    time.sleep(max(last_s - time.time(), 0.0))
    count(results, traffic, console)
    seconds = traffic.lines()
    traffic.stop()
    for name, ending in _ENDINGS.items():
        if name in wanted:
            results.append(attempt(name, console, partial(ending, shop)))
    took_s = round(time.monotonic() - began_s)
    REPORTS.mkdir(parents=True, exist_ok=True)
    told = {"seconds": took_s, "results": results}
    (REPORTS / "e2e.json").write_text(json.dumps(told, default=vars, indent=1))
    plot(results, seconds, REPORTS / "e2e.png")
    (REPORTS / "growth.png").unlink(missing_ok=True)
    for grown in (each.timeline for each in results if each.timeline):
        plot_growth(grown, seconds, REPORTS / "growth.png")
    console.print(table(results))
    console.print(f"{took_s // 60} min {took_s % 60} s")
    if given.write:
        write_page(results, REPORTS / "e2e.png", REPORTS / "growth.png", took_s)
    missed = [f"{each.name}: {said}" for each in results for said in each.missed]
    for said in missed:
        console.print(f"missed: {said}", markup=False)
    return 1 if missed else 0


def attempt(name: str, console: Console, run: Callable[[Result], None]) -> Result:
    """A scenario, told while it runs; what it could not do is a bar missed."""
    result = Result(name)
    console.print(f"{time.strftime('%H:%M:%S')} {name}", markup=False)
    try:
        run(result)
    except CommandError as error:
        result.missed.append(f"could not go on: {error}")
    said = ", ".join(result.missed) or "done"
    console.print(f"{time.strftime('%H:%M:%S')}   {said}  {result.facts}", markup=False)
    return result


def count(results: list[Result], traffic: Traffic, console: Console) -> None:
    """What callers have told by now, with a line for each phase."""
    now_s = time.time()
    for result in results:
        before = len(result.phases)
        result.count(traffic, now_s)
        for phase in result.phases[before:]:
            console.print(f"           {phase}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
