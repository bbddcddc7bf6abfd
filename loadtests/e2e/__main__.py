"""`make e2e`: install the chart on the cluster that KUBECONFIG names, and try everything on it.

Images must be on its nodes already (`make images`, `make kind`, or your registry in VALUES=). Load
comes from a pod in another namespace through the Service; every failed, rejected or hanging (over
2 s) request is counted by phase. Writes build/reports/e2e.json, and a table to docs/cluster.md with
--write. The exit status is 1 when a bar was missed.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console

from helm.tools.kubernetes import CommandError, until
from loadtests.e2e.report import table, write_page
from loadtests.e2e.scenario import Result
from loadtests.e2e.scenarios import chosen
from loadtests.e2e.shop import CHART, Shop

REPORT = Path("build/reports/e2e.json")


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.e2e", description=__doc__)
    parser.add_argument("--values", type=Path, action="append", default=[], help="of Helm")
    parser.add_argument("--only", action="append", default=[], help="a scenario; once for each")
    parser.add_argument("--keep", action="store_true", help="use and leave what is installed")
    parser.add_argument("--rate", type=float, default=10.0, help="rankings a second")
    parser.add_argument("--write", action="store_true", help="docs/cluster.md")
    given = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    shop = Shop(given.values or [CHART / "ci" / "default.yaml"])
    results: list[Result] = []
    if not given.keep:
        results.append(install(shop, console))
    traffic = shop.traffic(given.rate)
    traffic.start()
    for name, function in chosen(given.only):
        results.append(attempt(name, console, partial(function, shop, traffic)))
    traffic.stop()
    if not given.keep:
        results.append(attempt("uninstall and reinstall", console, lambda r: reinstall(shop, r)))
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(results, default=vars, indent=1))
    console.print(table(results))
    if given.write:
        write_page(results)
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
    said = ", ".join(result.missed) or "as it should"
    console.print(f"{time.strftime('%H:%M:%S')}   {said}  {result.facts}", markup=False)
    return result


def install(shop: Shop, console: Console) -> Result:
    """Into a namespace of its own, under restricted pod security."""

    def run(result: Result) -> None:
        shop.space.create()
        began_s = time.monotonic()
        shop.release.install()
        until(lambda: shop.key() != "", "the key", 30)
        until(lambda: bool(shop.workers()), "a worker", 600, 1.0)
        result.facts["install to first ready worker, s"] = round(time.monotonic() - began_s)
        shop.release.test()
        result.facts["install to helm test passed, s"] = round(time.monotonic() - began_s)
        result.facts["settled, s"] = round(shop.wait_settled() + time.monotonic() - began_s)

    return attempt("install", console, run)


def reinstall(shop: Shop, result: Result) -> None:
    """At once after an uninstall."""
    began_s = time.monotonic()
    shop.release.uninstall()
    result.facts["uninstall, s"] = round(time.monotonic() - began_s)
    shop.release.install()
    until(lambda: bool(shop.workers()), "a worker", 600, 1.0)
    shop.release.test()
    result.facts["reinstalled and ranking, s"] = round(time.monotonic() - began_s)


if __name__ == "__main__":
    sys.exit(main())
