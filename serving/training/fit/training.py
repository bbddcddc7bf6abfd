"""Train a bundle from a data set.

Replay -> slates of three periods -> fine-tune tower and head -> fit head and forest on the tuned
text -> choose the blend on the validation period -> fit both again with that period in -> write.
Seeded; an interrupted fine-tuning goes on where it was (<out>.checkpoint).
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

from features.behavior.replay import item_table
from features.datasets.format import Dataset
from serving.training.arrays import FloatArray
from serving.training.data.plans import Plan, make_plan
from serving.training.data.propensities import debiased
from serving.training.data.slate_building import build_slates
from serving.training.data.slates import Slates, concatenate, hide_behavior
from serving.training.fit.bundle import Member, blend, columns, write_bundle
from serving.training.fit.forest import ForestOptions, fit_forest
from serving.training.fit.head import HeadOptions, fit_head, head_scores
from serving.training.fit.held_out import write_held_out
from serving.training.fit.network import Head, TextTower
from serving.training.fit.tuning import TuningOptions, tune
from serving.training.publish.base_model import base_folder
from serving.training.quality import quality

BLEND_STEPS = 10
# A log without searches teaches nothing of queries. Then an item's match with the query adds this
# many spreads of the score for each spread of the cosine; mean and spread as MiniLM has them
# between queries and items that a search found.
QUERY_PRIOR = {"weight": 2.0, "mean": 0.3, "std": 0.12}
N_HELD_OUT = 60  # slates; publishing compares int8 with float32 on them


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What a run is made of; all of it is written into training.json."""

    seed: int = 7
    n_train: int = 6_000
    hidden_share: float = 0.15  # of training candidates made to look new: rows.hide_behavior
    tuning: TuningOptions = field(default_factory=TuningOptions)
    head: HeadOptions = field(default_factory=HeadOptions)
    forest: ForestOptions = field(default_factory=ForestOptions)


@dataclass(frozen=True, slots=True)
class Scorers:
    """Head and forest, fitted on the same rows."""

    head: Head
    forest: lightgbm.Booster

    def parts(self, features: FloatArray) -> dict[str, FloatArray]:
        """Raw scores by member."""
        trees = np.asarray(self.forest.predict(features, num_threads=2), np.float32)
        return {"head": head_scores(self.head, features), "forest": trees}


def train(
    dataset: Dataset,
    out: Path,
    options: TrainingOptions,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on `dataset`, write the bundle to `out`; returns what training.json says of it."""
    items = item_table(dataset)
    plan = make_plan(dataset, items, options.seed, options.n_train)
    slates = build_slates(
        dataset,
        items,
        [*plan.train, *plan.valid],
        options.seed,
        progress,
        plan.refresh_s,
    )
    texts = [item.ranker_text for item in items.items]
    torch.manual_seed(options.seed)
    tower = TextTower(base_folder())
    before = text_vectors(tower, texts, slates)
    propensities = None
    if plan.train_shown:
        slates, propensities = debiased(
            plan.train_shown, slates, columns(slates, *before), options.seed
        )
    n_train = len(plan.train)
    hidden = hide_behavior(slates, options.hidden_share, np.random.default_rng(options.seed))
    training = hidden.take(np.arange(n_train))
    valid = slates.take(np.arange(n_train, len(slates)))
    fine_tune(tower, training, columns(training, *before), texts, out, options, progress)
    after = text_vectors(tower, texts, slates)
    fitted = fit(training, columns(training, *after), options, progress)
    members, metrics = choose_blend(fitted.parts(columns(valid, *after)), valid)
    everything = concatenate([training, valid])
    final = fit(everything, columns(everything, *after), options, progress)
    about = _about(dataset, plan, options, metrics, propensities)
    write_bundle(out, tower, final.head, final.forest, members, about)
    held_out = valid.take(np.arange(min(N_HELD_OUT, len(valid))))
    write_held_out(out / "held_out.npz", held_out, texts, tower)
    out.with_suffix(".checkpoint").unlink(missing_ok=True)
    return about


def text_vectors(
    tower: TextTower, texts: list[str], slates: Slates
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Vectors of all items by row, and of the slates' queries by text."""
    queries = sorted({query for query in slates.queries if query})
    found = tower.encode([*texts, *queries])
    return found[: len(texts)], dict(zip(queries, found[len(texts) :], strict=True))


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
) -> Scorers:
    """Head and forest on the columns `features` (R, F + T) of `slates`."""
    torch.manual_seed(options.seed)
    head = Head(features.shape[1], options.head.units)
    gains = slates.labels * slates.weights
    fit_head(head, features, gains, slates.offsets, options.seed, options.head, progress)
    # The trees take no inverse weights: pairs weighted so made them worse (docs/quality.md).
    ones = np.ones(len(slates.labels), np.float32)
    forest = fit_forest(features, slates.labels, ones, slates.offsets, options.seed, options.forest)
    return Scorers(head, forest)


def choose_blend(
    parts: dict[str, FloatArray], slates: Slates
) -> tuple[dict[str, Member], dict[str, float]]:
    """Weights that do well on `slates`, and the NDCG@10 there of each member and of the blend.

    Of all weights within one standard error (paired) of the best, the most even: the slates
    are few, and two members err less than one (Breiman et al., 1984, the one-standard-error rule).
    """

    def members(share: float) -> dict[str, Member]:
        return {
            name: Member(weight, float(parts[name].mean()), float(parts[name].std()) + 1e-9)
            for name, weight in (("head", share), ("forest", 1 - share))
        }

    shares = np.linspace(0, 1, BLEND_STEPS + 1).round(3).tolist()
    ndcgs = np.stack(
        [
            quality(blend(parts, members(share)), slates.labels, slates.offsets).ndcg
            for share in shares
        ]
    )
    means = np.nanmean(ndcgs, axis=1)
    lost = ndcgs[means.argmax()] - ndcgs
    known = np.maximum((~np.isnan(lost)).sum(axis=1), 1)
    error = np.nanstd(lost, axis=1) / np.sqrt(known)
    good = np.flatnonzero(np.nanmean(lost, axis=1) <= error)
    chosen = min(good.tolist(), key=lambda step: abs(shares[step] - 0.5))
    figures = {"forest": means[0], "head": means[-1], "blend": means[chosen]}
    return members(shares[chosen]), {name: float(value) for name, value in figures.items()}


def fingerprint(dataset: Dataset) -> str:
    """A hash of all items and events: the same data give the same one."""
    digest = hashlib.sha256()
    for table in (dataset.items, dataset.events, dataset.queries):
        if table is not None:
            digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _about(
    dataset: Dataset,
    plan: Plan,
    options: TrainingOptions,
    metrics: dict[str, float],
    propensities: FloatArray | None,
) -> dict[str, Any]:
    return {
        "propensities": None if propensities is None else np.round(propensities, 4).tolist(),
        "dataset": {"name": dataset.info.name, "sha256": fingerprint(dataset)},
        "task": plan.task,
        "test_from_s": plan.test_from_s,
        "slates": {"train": len(plan.train), "valid": len(plan.valid)},
        "label_weights": plan.label_weights,
        "query_prior": QUERY_PRIOR if plan.task in ("next_basket", "discovery") else None,
        "options": asdict(options),
        "metrics": {f"valid_ndcg@10_{name}": round(value, 5) for name, value in metrics.items()},
    }
