"""What the commands that train share: options, progress, and one line for what cannot be used."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress

from features.datasets.format import Dataset, DatasetError
from features.datasets.registry import load
from features.objective import Objective, ObjectiveError, read_objective
from features.telemetry.progress import StepProgress, waiting

# Returns what training.json says.
Training = Callable[[list[Dataset], Objective, Progress], dict[str, Any]]


def parser_of(about: str | None) -> argparse.ArgumentParser:
    """The options of every training; `about`: a module's docstring, whose first line is told."""
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--out", required=True, type=Path, help="folder of the bundle")
    parser.add_argument("--cache", type=Path, default=Path("build/data"))
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--objective", type=Path, help="objective.yaml: what labels are worth; default: as ever"
    )
    return parser


def run(given: argparse.Namespace, sources: Sequence[str], training: Training) -> int:
    """Read the data sets and train on them; the exit status, 2 when one of them, or the objective,
    cannot be used."""
    torch.set_num_threads(given.threads)
    try:
        objective = read_objective(given.objective)
        with waiting(console := Console(), f"reading {', '.join(sources)}"):
            datasets = [load(source, given.cache, given.items) for source in sources]
        with StepProgress(console) as progress:
            about = training(datasets, objective, progress)
    except (DatasetError, ObjectiveError) as error:
        print(error, file=sys.stderr)
        return 2
    print(about["metrics"])
    return 0
