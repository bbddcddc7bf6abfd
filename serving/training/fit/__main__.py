"""Train a bundle: `python -m serving.training.fit --data grocery --out build/bundles/grocery`."""

import argparse
import sys
from pathlib import Path

import torch
from rich.console import Console

from features.datasets.format import DatasetError
from features.datasets.registry import load
from features.telemetry.progress import StepProgress, waiting
from serving.training.fit.forest import ForestOptions
from serving.training.fit.head import HeadOptions
from serving.training.fit.training import TrainingOptions, train
from serving.training.fit.tuning import TuningOptions


def main(arguments: list[str] | None = None) -> int:
    """The command line; 2 when the data set cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", required=True, help="grocery, simulated, or a folder")
    parser.add_argument("--out", required=True, type=Path, help="folder of the bundle")
    parser.add_argument("--cache", type=Path, default=Path("build/data"))
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--slates", type=int, default=TrainingOptions().n_train)
    parser.add_argument("--hidden", type=float, default=TrainingOptions().hidden_share)
    parser.add_argument("--steps", type=int, default=TuningOptions().steps)
    parser.add_argument(
        "--units", type=int, nargs=2, default=HeadOptions().units, help="of the head's two layers"
    )
    parser.add_argument("--dropout", type=float, default=HeadOptions().dropout)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    options = TrainingOptions(
        seed=given.seed,
        n_train=given.slates,
        hidden_share=given.hidden,
        tuning=TuningOptions(steps=given.steps),
        head=HeadOptions(units=tuple(given.units), dropout=given.dropout),
        forest=ForestOptions(threads=given.threads),
    )
    try:
        with waiting(console := Console(), f"reading {given.data}"):
            dataset = load(given.data, given.cache, given.items)
        with StepProgress(console) as progress:
            about = train(dataset, given.out, options, progress)
    except DatasetError as error:
        print(error, file=sys.stderr)
        return 2
    print(about["metrics"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
