"""Compares the ranker with and without a plain cross-encoder inside.

    python -m serving.training.evaluate.cross_comparison --data grocery --bundle B

Head and forest are fitted with and without the cross-encoder's score as one more column, on slates
that it was not trained on, and compared on the test period. Judged queries (no --bundle) are
compared by cross-validation, as in judged.py. Prints a table and writes
build/reports/evaluate-cross-encoder-<data set>.json.
"""

import argparse
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from features.arrays import FloatArray
from features.behavior.matrix import FEATURE_NAMES
from features.behavior.replay import item_table
from features.datasets.format import Dataset, DatasetError, require_events
from features.datasets.registry import load
from features.telemetry.progress import StepProgress, waiting
from serving.training.data.plans import make_plan, task_of
from serving.training.data.slate_building import build_slates
from serving.training.data.slates import Slates, offsets_of
from serving.training.evaluate.judged import (
    fit_members,
    folds,
    judged_slates,
    tower_columns,
    tuned_columns,
)
from serving.training.evaluate.report import Report, add_rows, show, write
from serving.training.evaluate.test_sets import (
    FIXED_CASES,
    fixed_test_sets,
    purchase_test_sets,
    slates_of_sets,
)
from serving.training.fit.bundle import Bundle
from serving.training.fit.columns import columns, text_vectors
from serving.training.fit.cross_encoder import (
    N_KEPT,
    CrossEncoder,
    CrossOptions,
    Pairs,
    cross_scores,
    text_logits,
    tune_cross_encoder,
    write_cross_encoder,
)
from serving.training.fit.network import TextTower
from serving.training.fit.training import TrainingOptions, fit
from serving.training.publish.base_model import base_folder

WITHOUT, WITH = "ours", "ours with the cross-encoder inside"
ALONE = "cross-encoder and text match alone"
# As for the tower: 120 queries, graded, and long texts (judged.TUNING).
JUDGED = CrossOptions(steps=40, wanted=6, unwanted=2, learning_rate=2e-4)


@dataclass(frozen=True, slots=True)
class ComparisonOptions:
    """How much of a purchase log is used; scoring pairs is slow."""

    cross: CrossOptions
    n_cases: int  # of each test set
    n_tuned: int = 3_000  # slates that the cross-encoder may be trained on
    n_fitted: int = 700  # slates, later ones, that head and forest are fitted on
    n_rows: int = 40  # of a slate that is fitted on, at most


def compare(
    dataset: Dataset,
    source: Path,
    bundle: Bundle,
    options: ComparisonOptions,
    threads: int,
    progress: Progress | None = None,
    keep: Path | None = None,
) -> Report:
    """The ranker with and without a cross-encoder, on test sets of `evaluation`.

    keep: folder into which the trained cross-encoder is written, for publishing.
    """
    given = TrainingOptions()
    seed = given.seed
    items = item_table(dataset)
    plan = make_plan(dataset, items, seed, options.n_tuned + options.n_fitted)
    if (source / FIXED_CASES).is_file():
        sets = fixed_test_sets(source, dataset, items, plan)[2:]  # features as of the cut
        chosen = np.random.default_rng(seed).permutation(len(sets[0].cases))[: options.n_cases]
        sets = [replace(s, cases=[s.cases[i] for i in np.sort(chosen).tolist()]) for s in sets]
    else:
        sets = purchase_test_sets(dataset, items, plan, seed, options.n_cases, 1)[:2]
    cases = [*plan.train, *(case for test_set in sets for case in test_set.cases)]
    slates = build_slates(dataset, items, cases, seed, progress, plan.refresh_s)
    texts = [item.ranker_text for item in items.items]
    vectors = text_vectors(bundle.tower(), texts, slates)
    n_train = len(plan.train)
    order = np.random.default_rng(seed).permutation(n_train)
    tuned = slates.take(np.sort(order[: -options.n_fitted]))
    fitted = thinned(slates.take(np.sort(order[-options.n_fitted :])), options.n_rows, seed)
    torch.manual_seed(seed)
    model = CrossEncoder()
    pairs = Pairs(model.tower, texts, tuned)
    known = text_logits(columns(tuned, *vectors))
    tune_cross_encoder(model, pairs, tuned, known, options.cross, seed, progress)
    if keep is not None:
        some = np.random.default_rng(seed).permutation(len(tuned.item_rows))[:N_KEPT]
        about = {"dataset": dataset.info.name, "options": asdict(options)}
        write_cross_encoder(keep, model, pairs.of(some), about)
    features = columns(fitted, *vectors)
    crossed = cross_scores(model, texts, fitted, threads, progress)
    both = {
        WITHOUT: fit(fitted, features, given),
        WITH: fit(fitted, with_column(features, crossed), given),
    }
    report = Report(dataset.info.name, WITH, {})
    for test_set, part in slates_of_sets(sets, slates, n_train):
        plain = columns(part, *vectors)
        crossed = cross_scores(model, texts, part, threads, progress)
        scores = {ALONE: crossed + text_logits(plain)}
        for name, columns_of in ((WITHOUT, plain), (WITH, with_column(plain, crossed))):
            parts = both[name].parts(columns_of).values()
            scores[name] = np.sum([p / (p.std() + 1e-9) for p in parts], axis=0, dtype=np.float32)
        add_rows(report, test_set.name, part, scores, {"all": np.ones(len(part), bool)})
    return report


def compare_judged(
    dataset: Dataset,
    options: CrossOptions,
    seed: int,
    threads: int,
    progress: Progress | None = None,
) -> Report:
    """The same comparison by cross-validation over judged queries.

    Two cross-encoders give the scores that a fold's head is fitted with. Each is trained on one
    half of the fold's queries and scores the other half. The held-out queries get the mean of both.
    """
    slates, texts = judged_slates(dataset, seed)
    zero_shot = tower_columns(TextTower(base_folder()), slates, texts)
    scores = {name: np.zeros(len(zero_shot), np.float32) for name in (WITH, WITHOUT, ALONE)}
    for train in folds(slates, seed):
        held_out = np.setdiff1d(np.arange(len(slates)), train)
        test = np.isin(slates.slate_of, held_out)
        tower = TextTower(base_folder())
        plain = tuned_columns(tower, slates, train, zero_shot, texts, seed, progress)
        known = text_logits(plain)
        crossed = np.zeros(len(plain), np.float32)
        for scored in np.array_split(np.random.default_rng(seed).permutation(train), 2):
            learnt = np.setdiff1d(train, scored)
            torch.manual_seed(seed)
            model, part = CrossEncoder(), slates.take(learnt)
            of_part = known[np.isin(slates.slate_of, learnt)]
            pairs = Pairs(model.tower, texts, part)
            tune_cross_encoder(model, pairs, part, of_part, options, seed, progress)
            for chosen, share in ((np.sort(scored), 1.0), (held_out, 0.5)):
                part_scores = cross_scores(model, texts, slates.take(chosen), threads, progress)
                crossed[np.isin(slates.slate_of, chosen)] += share * part_scores
        scores[ALONE][test] = (crossed + known)[test]
        for name, features in ((WITHOUT, plain), (WITH, with_column(plain, crossed))):
            head, _ = fit_members(slates, train, features, seed, threads)
            scores[name][test] = head(features[test])
    report = Report(dataset.info.name, WITH, {})
    add_rows(report, "judged queries", slates, scores, {"all": np.ones(len(slates), bool)})
    return report


def thinned(slates: Slates, n_rows: int, seed: int) -> Slates:
    """`slates` with at most `n_rows` candidates each, the wanted ones among them."""
    rng = np.random.default_rng(seed)
    keep = []
    for start, end in zip(slates.offsets[:-1].tolist(), slates.offsets[1:].tolist(), strict=True):
        rows = rng.permutation(np.arange(start, end))
        first = np.argsort(slates.labels[rows] <= 0, kind="stable")
        keep.append(np.sort(rows[first][:n_rows]))
    rows = np.concatenate(keep)
    return replace(
        slates,
        offsets=offsets_of([len(candidates) for candidates in keep]),
        item_rows=slates.item_rows[rows],
        labels=slates.labels[rows],
        weights=slates.weights[rows],
        features=slates.features[rows],
    )


def with_column(features: FloatArray, scores: FloatArray) -> FloatArray:
    """`features` (R, F + T) with one more column before the T text matches."""
    n = len(FEATURE_NAMES)
    return np.concatenate([features[:, :n], scores[:, None], features[:, n:]], axis=1)


def main() -> int:
    """The command line; the exit status, 2 when the data set cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", required=True, help="grocery, or a folder")
    parser.add_argument("--bundle", type=Path, help="whose tuned tower is used; for purchases")
    parser.add_argument("--keep", type=Path, help="folder for the cross-encoder, to be published")
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    parser.add_argument("--cache", type=Path, default=Path("build/data"))
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--steps", type=int, help="of training the cross-encoder")
    parser.add_argument("--cases", type=int, default=250, help="of each test set")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    try:
        with waiting(console := Console(), f"reading {given.data}"):
            dataset = load(given.data, given.cache, given.items)
        task = task_of(dataset)
        if task != "judged":
            require_events(dataset, "purchases or judged queries are compared here")
    except DatasetError as error:
        print(error, file=sys.stderr)
        return 2
    if task not in ("next_basket", "discovery", "judged"):
        print("only purchases and judged queries are compared here", file=sys.stderr)
        return 2
    if task != "judged" and given.bundle is None:
        parser.error("--bundle is missing")
    if task == "judged" and given.keep is not None:
        parser.error("--keep: of judged queries each fold has a cross-encoder of its own")
    cross = JUDGED if task == "judged" else CrossOptions()
    cross = replace(cross, steps=given.steps or cross.steps)
    with StepProgress(console) as progress:
        if task == "judged":
            seed = TrainingOptions().seed
            report = compare_judged(dataset, cross, seed, given.threads, progress)
        else:
            options = ComparisonOptions(cross, given.cases)
            bundle = Bundle(given.bundle)
            source = Path(given.data)
            report = compare(dataset, source, bundle, options, given.threads, progress, given.keep)
    show(report, console)
    report.dataset = f"cross-encoder-{report.dataset}"
    write(report, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
