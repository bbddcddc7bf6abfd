"""Measure whom rankings show and for whom they are good; what a floor of exposure costs; or what
households' states give away of them.

    python -m loadtests.fairness                # the audit of the grocery data
    python -m loadtests.fairness --floor        # a floor for new items, held over many rankings
    python -m loadtests.fairness --probe        # demographic groups, predicted from states

Prints tables; writes fairness.json and .png, fairness-floor.json and .png, or fairness-probe.json
to build/reports.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from features.datasets.format import Dataset, DatasetError
from features.datasets.registry import load
from features.telemetry.progress import StepProgress, waiting
from loadtests.fairness.audit import audited, cases_of, household_groups
from loadtests.fairness.floor import curve, held
from loadtests.fairness.known import told_apart
from loadtests.fairness.probe import Probed, probed
from loadtests.fairness.report import (
    plot_audit,
    plot_floor,
    show_audit,
    show_floor,
    show_known,
    show_probe,
)
from loadtests.fairness.vectors import household_vectors
from serving.training.fit.bundle import Bundle

BUNDLE = Path("serving/training/bundles/grocery")


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 when the floor is not held at its price, 2 without data or a bundle."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--floor", action="store_true")
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--cache", type=Path, default=Path("build/data"))
    parser.add_argument("--items", type=int, default=10_000, help="of the catalogue, most bought")
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--rankings", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)
    console = Console()
    if given.floor:
        proof = held(given.rankings)
        points = curve(max(given.rankings // 10, 100))
        show_floor(proof, points, console)
        (given.out / "fairness-floor.json").write_text(
            json.dumps(
                {"held": asdict(proof), "curve": [asdict(each) for each in points]}, indent=1
            )
        )
        plot_floor(points, given.out / "fairness-floor.png")
        return int(not proof.kept)
    try:
        with waiting(console, "reading grocery"):
            dataset = load("grocery", given.cache, given.items)
        with StepProgress(console) as progress:
            if given.probe:
                groups = probe(dataset, Bundle(given.bundle), progress)
            else:
                cases = cases_of(dataset, Bundle(given.bundle), given.cases, progress)
    except (DatasetError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    if given.probe:
        show_probe(groups, console)
        (given.out / "fairness-probe.json").write_text(
            json.dumps([asdict(each) for each in groups], indent=1)
        )
        return 0
    found, known = audited(cases), told_apart(cases)
    show_audit(found, console)
    show_known(known, console)
    told = {"rankers": [asdict(each) for each in found], "told": [asdict(each) for each in known]}
    (given.out / "fairness.json").write_text(json.dumps(told, indent=1))
    plot_audit(found, given.out / "fairness.png")
    return 0


def probe(dataset: Dataset, bundle: Bundle, progress: Progress) -> list[Probed]:
    """Each kind of groups by each kind of inputs."""
    households, inputs = household_vectors(dataset, bundle, progress)
    kinds = household_groups(households)
    composition, names = kinds["household_comp"]
    kids = np.array([name.endswith(" Kids") and "No Kids" not in name for name in names])
    children = np.where(composition < 0, -1, kids[composition]).astype(np.int64)
    labels = {kind: group for kind, (group, _) in kinds.items()} | {"children": children}
    return [one for kind, group in labels.items() for one in probed(kind, group, inputs, progress)]


if __name__ == "__main__":
    raise SystemExit(main())
