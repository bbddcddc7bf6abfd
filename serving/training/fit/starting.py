"""Trains the starting ranker, which any shop begins with: on several shops at once.

    python -m serving.training.fit.starting --data grocery simulated FOLDER --out B

What is learnt must hold in a shop that none of them is. So the texts are matched by the network as
it is, without tuning. Of a query the ranker is told nothing: relevance to it is judged outside
(serving/search/relevance.py).
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress

from features.arrays import FloatArray
from features.behavior.matrix import FEATURE_NAMES
from features.datasets.format import Dataset
from features.objective import USUAL, Objective
from serving.models.runtime.scoring import TEXT_FEATURES
from serving.training.data.slates import Slates, concatenate
from serving.training.fit.columns import columns
from serving.training.fit.command import parser_of, run
from serving.training.fit.head import HeadOptions
from serving.training.fit.held_out import write_held_out
from serving.training.fit.lessons import read_lesson
from serving.training.fit.network import TextTower
from serving.training.fit.training import (
    N_HELD_OUT,
    OF_QUERY,
    Rows,
    TrainingOptions,
    fit_and_write,
    source_of,
)
from serving.training.publish.base_model import base_folder

HEAD = HeadOptions(units=(128, 64), dropout=0.2)
_NAMES = (*FEATURE_NAMES, *TEXT_FEATURES)
_HIDDEN = [_NAMES.index(name) for name in OF_QUERY]
_HAS_QUERY = _NAMES.index("has_query")


def train_starting(
    datasets: Sequence[Dataset],
    out: Path,
    options: TrainingOptions,
    progress: Progress | None = None,
    objective: Objective = USUAL,
) -> dict[str, Any]:
    """Train on all `datasets` and write the bundle to `out`; returns what training.json says.

    Each counts by its slates, at most options.n_train. Raises DatasetError for one that cannot
    teach a ranker.
    """
    torch.manual_seed(options.seed)
    tower = TextTower(base_folder())
    training: list[Rows] = []
    valid: list[Rows] = []
    for dataset in datasets:
        lesson = read_lesson(dataset, options.seed, options.n_train, tower, progress, objective)
        for period, slates in (
            (training, lesson.training(options.hidden_share, options.seed)),
            (valid, lesson.valid),
        ):
            period.append((_of_any_shop(slates), without_query(columns(slates, *lesson.vectors))))
    about = {
        "datasets": [source_of(dataset) for dataset in datasets],
        "task": "starting",
        "objective": objective.model_dump(),
    }
    about = fit_and_write(out, tower, _joined(training), _joined(valid), about, options, progress)
    # Of the last shop, whose texts go into the bundle: enough to compare int8 with float32.
    write_held_out(out / "held_out.npz", lesson.held_out(N_HELD_OUT), lesson.texts, tower)
    return about


def without_query(features: FloatArray) -> FloatArray:
    """`features` (R, F + T) without what tells of a query."""
    out = features.copy()
    out[:, _HIDDEN] = np.nan
    out[:, _HAS_QUERY] = 0.0
    return out


def _of_any_shop(slates: Slates) -> Slates:
    """With labels up to 1: what a purchase is worth differs from log to log."""
    return replace(slates, labels=slates.labels / max(float(slates.labels.max()), 1e-9))


def _joined(parts: Sequence[Rows]) -> Rows:
    return concatenate([slates for slates, _ in parts]), np.concatenate([rows for _, rows in parts])


def main(arguments: list[str] | None = None) -> int:
    """The command line; 2 when a data set cannot be used."""
    parser = parser_of(__doc__)
    parser.add_argument("--data", required=True, nargs="+", help="grocery, simulated, folders")
    parser.add_argument("--slates", type=int, default=TrainingOptions().n_train, help="of a shop")
    given = parser.parse_args(arguments)
    options = TrainingOptions(n_train=given.slates, head=HEAD)
    return run(
        given,
        given.data,
        lambda datasets, objective, progress: train_starting(
            datasets, given.out, options, progress, objective
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
