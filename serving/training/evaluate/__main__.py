"""Measure a bundle against baselines on the test period of its data set.

    python -m serving.training.evaluate --data grocery --bundle serving/training/bundles/grocery

Prints a table; writes build/reports/evaluate-<name>.json and .png.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from features.datasets.format import Dataset, DatasetError
from features.datasets.registry import load
from features.telemetry.progress import StepProgress, waiting
from serving.training.data.plans import task_of
from serving.training.evaluate.evaluation import DEFAULT_SEED, evaluate
from serving.training.evaluate.judged import evaluate_judged
from serving.training.evaluate.report import show, write
from serving.training.fit.bundle import Bundle


def main(arguments: list[str] | None = None) -> int:
    """The command line; 2 when the data set or the bundle cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", default="grocery", help="grocery, simulated, or a folder")
    parser.add_argument("--bundle", type=Path, help="default: trained now, in a temporary folder")
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    parser.add_argument("--cache", type=Path, default=Path("build/data"))
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    console = Console()
    try:
        with waiting(console, f"reading {given.data}"):
            dataset = load(given.data, given.cache, given.items)
        if task_of(dataset) == "judged":
            with StepProgress(console) as progress:
                made = load("grocery", given.cache)
                report = evaluate_judged(dataset, made, DEFAULT_SEED, given.threads, progress)
            show(report, console)
            write(report, given.out)
            return 0
        with StepProgress(console) as progress, tempfile.TemporaryDirectory() as scratch:
            bundle = _bundle(given.bundle, dataset, Path(scratch), progress)
            report = evaluate(
                dataset, Path(given.data), bundle, given.cases,
                threads=given.threads, progress=progress,
            )  # fmt: skip
    except (DatasetError, ValueError, FileNotFoundError, ModuleNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    show(report, console)
    write(report, given.out)
    return 0


def _bundle(given: Path | None, dataset: Dataset, scratch: Path, progress: Progress) -> Bundle:
    if given is not None:
        return Bundle(given)
    from serving.training.fit.training import TrainingOptions, train  # only when there is none

    train(dataset, scratch / "bundle", TrainingOptions(), progress)
    return Bundle(scratch / "bundle")


if __name__ == "__main__":
    sys.exit(main())
