"""`make autoscaling`: which settings hold a tenfold burst. A simulation: docs/autoscaling.md.

Prints a table, writes `autoscaling.json` and `autoscaling.png`.
"""

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from loadtests.autoscaling.burst import Burst, Scenario, simulate
from loadtests.autoscaling.costs import Costs
from loadtests.autoscaling.findings import Finding, finding
from loadtests.autoscaling.plot import draw
from loadtests.autoscaling.scenarios import scenarios

_DRAWN = ("Serve's defaults", "made for one machine", "proposed, new nodes (90 s)")


def main() -> int:
    """Exit status 1 when what is proposed does not hold the burst."""
    arguments = _arguments()
    burst = Burst(steady_rate=arguments.rate, factor=arguments.factor)
    compared = [replace(scenario, seed=arguments.seed) for scenario in scenarios(burst)]
    traces = {scenario.name: simulate(scenario) for scenario in compared}
    findings = [finding(scenario, traces[scenario.name]) for scenario in compared]
    folder: Path = arguments.out
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "autoscaling.json").write_text(
        json.dumps(_as_json(burst, compared, findings), indent=2) + "\n"
    )
    drawn = [(scenario, traces[scenario.name]) for scenario in compared if scenario.name in _DRAWN]
    draw(drawn, folder / "autoscaling.png")
    # A log has no width of its own, and 80 columns cut the table.
    console = Console(width=None if sys.stdout.isatty() else 135)
    console.print(_table(burst, findings))
    console.print(f"report: {folder / 'autoscaling.json'}", markup=False)
    proposed = next(result for result in findings if result.name == _DRAWN[-1])
    return 0 if proposed.held else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50.0, help="rankings a second before it")
    parser.add_argument("--factor", type=float, default=10.0, help="of the burst")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    return parser.parse_args()


def _as_json(burst: Burst, compared: list[Scenario], findings: list[Finding]) -> dict[str, object]:
    return {
        "burst": asdict(burst),
        "costs": asdict(Costs()),
        "scenarios": [
            {**result.as_json(), "settings": _settings(scenario)}
            for scenario, result in zip(compared, findings, strict=True)
        ],
    }


def _settings(scenario: Scenario) -> dict[str, object]:
    deployments = {
        name: {
            **scaling.replicas.model_dump(),
            "look_back_s": scaling.look_back_s,
            "metrics_interval_s": scaling.metrics_interval_s,
        }
        for name, scaling in (("ingress", scenario.ingress), ("ranker", scenario.ranker))
    }
    return {
        **deployments,
        "triton": asdict(scenario.triton),
        "nodes": asdict(scenario.nodes),
        "admission": scenario.admission.model_dump(),
    }


def _table(burst: Burst, findings: list[Finding]) -> Table:
    peak = burst.steady_rate * burst.factor
    table = Table(
        title=f"simulated: {burst.steady_rate:g} to {peak:g} rankings a second within "
        f"{burst.ramp_s:g} s, for {burst.burst_s / 60:g} minutes",
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("", no_wrap=True)
    for name in (
        "refused",
        "late",
        "by\nrules",
        "model\nback",
        "median,\nslowest ms",
        "replicas\nat most",
        "workers\nrest, most",
        "turns\nin, after",
        "all\nback",
        "",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for result in findings:
        table.add_row(
            result.name,
            f"{result.refused_share:.1%}",
            f"{result.late_share:.1%}",
            f"{result.rules_share:.1%}",
            "not" if result.model_back_s is None else f"{result.model_back_s:.0f} s",
            f"{1000 * result.median_s:.0f}, {1000 * result.slowest_s:.0f}",
            f"{result.ingress_most}, {result.ranker_most}, {result.pods_most}",
            f"{result.workers_at_rest}, {result.workers_most}",
            f"{result.turns}, {result.turns_after}",
            "not" if result.back_s is None else f"{result.back_s:.0f} s",
            "held" if result.held else "not held",
            style=None if result.held else "red",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
