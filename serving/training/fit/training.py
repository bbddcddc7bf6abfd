"""Trains a bundle from a data set.

Replay the log into slates of training and validation -> fine-tune tower and head -> fit head and
forest on the tuned text -> choose the blend on the validation period -> fit both again with that
period included -> write. The same seed gives the same bundle. An interrupted fine-tuning resumes
from <out>.checkpoint.
"""

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import torch
from rich.progress import Progress

from features.arrays import FloatArray
from features.behavior.matrix import FEATURE_NAMES
from features.datasets.format import Dataset
from features.datasets.item_details import telling
from features.objective import USUAL, Objective
from serving.models.runtime.scoring import TEXT_FEATURES
from serving.training.data.slates import LIMITS, Slates, concatenate
from serving.training.fit.blending import choose_blend
from serving.training.fit.bundle import write_bundle
from serving.training.fit.columns import columns, text_vectors
from serving.training.fit.forest import ForestOptions, fit_forest
from serving.training.fit.head import HeadOptions, fit_head, head_scores
from serving.training.fit.held_out import write_held_out
from serving.training.fit.lessons import read_lesson
from serving.training.fit.network import Head, TextTower
from serving.training.fit.tuning import TuningOptions, tune
from serving.training.publish.base_model import base_folder

OF_QUERY = ("retrieval_score", "retrieval_rank", "has_query", "query_words", "text_query")
Rows = tuple[Slates, FloatArray]  # slates, and the columns (R, F + T) of their candidates
N_HELD_OUT = 60  # slates, on which publishing compares int8 with float32


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """The options of a run; all are written into training.json."""

    seed: int = 7
    n_train: int = 6_000
    hidden_share: float = 0.15  # of training candidates made to look new: slates.hide_behavior
    tuning: TuningOptions = field(default_factory=TuningOptions)
    head: HeadOptions = field(default_factory=HeadOptions)
    forest: ForestOptions = field(default_factory=ForestOptions)


@dataclass(frozen=True, slots=True)
class HeadAndForest:
    """Both models of the blend, fitted on the same rows."""

    head: Head
    forest: lightgbm.Booster

    def parts(self, features: FloatArray) -> dict[str, FloatArray]:
        """Raw scores (R,) by name of features (R, F + T)."""
        trees = np.asarray(self.forest.predict(features, num_threads=2), np.float32)
        return {"head": head_scores(self.head, features), "forest": trees}


def train(
    dataset: Dataset,
    out: Path,
    options: TrainingOptions,
    progress: Progress | None = None,
    objective: Objective = USUAL,
) -> dict[str, Any]:
    """Train on `dataset` and write the bundle to `out`; returns what training.json says of the run.

    Raises DatasetError for a data set that cannot train a bundle (data.plans.make_plan).
    """
    torch.manual_seed(options.seed)
    tower = TextTower(base_folder())
    lesson = read_lesson(dataset, options.seed, options.n_train, tower, progress, objective)
    training, valid = lesson.training(options.hidden_share, options.seed), lesson.valid
    untuned = columns(training, *lesson.vectors)
    fine_tune(tower, training, untuned, lesson.texts, out, options, progress)
    after = text_vectors(tower, lesson.texts, lesson.slates)
    known = None if lesson.propensities is None else np.round(lesson.propensities, 4).tolist()
    about = {
        "propensities": known,
        "dataset": source_of(dataset),
        "task": lesson.plan.task,
        "test_from_s": lesson.plan.test_from_s,
        "label_weights": lesson.plan.label_weights,
        "objective": objective.model_dump(),
    }
    about = fit_and_write(
        out, tower, (training, columns(training, *after)), (valid, columns(valid, *after)),
        about, options, progress,
    )  # fmt: skip
    write_held_out(out / "held_out.npz", lesson.held_out(N_HELD_OUT), lesson.texts, tower)
    out.with_suffix(".checkpoint").unlink(missing_ok=True)
    return about


def fit_and_write(
    out: Path,
    tower: TextTower,
    training: Rows,
    valid: Rows,
    about: dict[str, Any],
    options: TrainingOptions,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit head and forest, blend them, and write the bundle but for held_out.npz.

    The blend is chosen on `valid`, and both are then fitted on that as well. Returns `about` with
    what is to be said of the run.
    """
    members, metrics = choose_blend(fit(*training, options, progress).parts(valid[1]), valid[0])
    everything = concatenate([training[0], valid[0]]), np.concatenate([training[1], valid[1]])
    final = fit(*everything, options, progress)
    about = {
        **about,
        "limits": LIMITS.as_dict(),
        "slates": {"train": len(training[0]), "valid": len(valid[0])},
        "unlearnt": unlearnt_columns(everything[1]),
        "options": asdict(options),
        "metrics": {f"valid_ndcg@10_{name}": round(value, 5) for name, value in metrics.items()},
    }
    write_bundle(out, tower, final.head, final.forest, members, about)
    return about


def fine_tune(
    tower: TextTower,
    slates: Slates,
    features: FloatArray,
    texts: list[str],
    out: Path,
    options: TrainingOptions,
    progress: Progress | None = None,
) -> None:
    """Train `tower` in place together with a head that starts fitted on `features`."""
    head = Head(features.shape[1])
    gains = slates.labels * slates.weights
    fit_head(head, features, gains, slates.offsets, options.seed, HeadOptions(epochs=4))
    checkpoint = out.with_suffix(".checkpoint")
    tune(tower, head, slates, texts, options.seed, options.tuning, checkpoint, progress)


def fit(
    slates: Slates,
    features: FloatArray,
    options: TrainingOptions,
    progress: Progress | None = None,
) -> HeadAndForest:
    """Head and forest on the columns `features` (R, F + T) of `slates`."""
    torch.manual_seed(options.seed)
    head = Head(features.shape[1], options.head.units)
    gains = slates.labels * slates.weights
    fit_head(head, features, gains, slates.offsets, options.seed, options.head, progress)
    # The trees take no inverse weights: pairs weighted so made them worse (docs/quality.md).
    ones = np.ones(len(slates.labels), np.float32)
    forest = fit_forest(features, slates.labels, ones, slates.offsets, options.seed, options.forest)
    return HeadAndForest(head, forest)


def unlearnt_columns(features: FloatArray) -> dict[str, float | None]:
    """The columns OF_QUERY that are the same in all of `features` (R, F + T), and as what.

    None: always unknown. A version is shown them so whatever a request says (runtime/ranking.py).
    """
    names = (*FEATURE_NAMES, *TEXT_FEATURES)
    first = features[0]
    same = ((features == first) | (np.isnan(features) & np.isnan(first))).all(axis=0)
    constant = [name for name in OF_QUERY if same[names.index(name)]]
    values = {name: float(first[names.index(name)]) for name in constant}
    return {name: None if np.isnan(value) else value for name, value in values.items()}


def source_of(dataset: Dataset) -> dict[str, str]:
    """The name of a data set, and the SHA-256 of all its items, events and queries."""
    digest = hashlib.sha256()
    for table in (telling(dataset.items), dataset.events, dataset.queries):
        if table is not None:
            digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return {"name": dataset.info.name, "sha256": digest.hexdigest()}
