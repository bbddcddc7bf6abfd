"""Measure what a floor of exposure for new items holds over many rankings, and what it costs.

    python -m loadtests.fairness

Prints a table; writes build/reports/fairness-floor.json and .png. docs/fairness.md has the shop.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from loadtests.fairness.floor import curve, held
from loadtests.fairness.report import plot_floor, show_floor


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when the floor is not held at its price."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rankings", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    proof = held(given.rankings)
    points = curve(max(given.rankings // 10, 100))
    show_floor(proof, points, Console())
    told = {"held": asdict(proof), "curve": [asdict(each) for each in points]}
    (given.out / "fairness-floor.json").write_text(json.dumps(told, indent=1))
    plot_floor(points, given.out / "fairness-floor.png")
    return int(not proof.kept)


if __name__ == "__main__":
    raise SystemExit(main())
