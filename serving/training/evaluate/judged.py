"""Judged search: cases of queries with graded items, and a cross-validated comparison.

There is no behaviour, so relevance alone decides (serving/search/relevance.py): "ours" is R, with
weights fitted on four fifths of the queries. Beside it stand rankers that are tuned on them: they
tell whether fine-tuning on some queries helps others.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from rich.progress import Progress

from features.arrays import FloatArray, RowArray
from features.behavior.matrix import COLUMN, FEATURE_NAMES
from features.behavior.replay import item_table
from features.catalog.table import ItemTable
from features.datasets.format import Dataset
from serving.models.runtime.scoring import TEXT_FEATURES
from serving.search.relevance import RelevanceModel
from serving.training.data.cases import Case
from serving.training.data.judged_queries import Judged, judged_queries
from serving.training.data.lexical import Lexical
from serving.training.data.slate_building import build_slates
from serving.training.data.slates import Slates
from serving.training.evaluate.report import Report, add_rows
from serving.training.fit.columns import columns
from serving.training.fit.forest import ForestOptions, fit_forest
from serving.training.fit.head import HeadOptions, fit_head, head_scores
from serving.training.fit.network import Head, TextTower
from serving.training.fit.search.relevance import fit_relevance
from serving.training.fit.tuning import TuningOptions, tune
from serving.training.publish.base_model import base_folder

ColumnScorer = Callable[[FloatArray], FloatArray]  # columns (R, n) to scores (R,)
N_FOLDS = 5
# Small, for 120 queries. A text of ESCI is three times as long as one of the grocery data.
TUNING = TuningOptions(
    steps=60, slates=8, wanted=6, unwanted=6, history=0, learning_rate=2e-4, text_share=0.9
)
HEAD = HeadOptions(epochs=10, slates=16, learning_rate=1e-3, decay=0.1, dropout=0.3)
FOREST = ForestOptions(trees=60, leaves=7, learning_rate=0.05, min_rows=100)


def judged_cases(dataset: Dataset, items: ItemTable) -> list[Case]:
    """One case a query: its judged items, their gains, and BM25 over titles as retrieval score."""
    if dataset.queries is None:
        raise ValueError(f"{dataset.info.name}: no judged queries")
    lexical = Lexical(items)
    cases = []
    for _, judged in dataset.queries.groupby("query_id", sort=True):
        rows = items.rows(judged["item_id"].tolist())
        known = rows >= 0
        gains = judged["gain"].to_numpy(np.float32)[known]
        query = str(judged["query"].iloc[0])
        scores = lexical.scores(query, rows[known])
        case = Case(
            0, 0.0, query=query, rows=rows[known], labels=gains,
            weights=np.ones(len(gains), np.float32), retrieval_score=scores,
        )  # fmt: skip
        cases.append(case)
    return cases


def evaluate_judged(
    dataset: Dataset,
    made: Dataset,
    seed: int,
    threads: int = 2,
    progress: Progress | None = None,
) -> Report:
    """Cross-validation over all queries: each is ranked by models of the other four fifths.

    made: the grocery data, whose made queries (half of them) teach relevance as well
    """
    slates, texts = judged_slates(dataset, seed)
    zero_shot = tower_columns(TextTower(base_folder()), slates, texts)
    query = len(FEATURE_NAMES) + TEXT_FEATURES.index("text_query")
    scores = {
        "BM25": slates.features[:, COLUMN["retrieval_score"]],
        "zero-shot MiniLM": zero_shot[:, query],
    }
    names = (
        "ours",
        "tuned text alone",
        "tuned text and a head",
        "a head alone",
        "tuned text, head and forest",
    )
    scores |= {name: np.zeros(len(zero_shot), np.float32) for name in names}
    tower = TextTower(base_folder())
    judged = list(judged_queries(dataset, tower))
    elsewhere = list(judged_queries(made, tower, split="dev"))
    task = progress.add_task("folds", total=N_FOLDS) if progress else None
    for train in folds(slates, seed):
        test = ~np.isin(slates.slate_of, train)
        tower = TextTower(base_folder())
        tuned = tuned_columns(tower, slates, train, zero_shot, texts, seed, progress)
        head, forest = fit_members(slates, train, tuned, seed, threads)
        scores["ours"][test] = relevance(judged, elsewhere, train, slates)[test]
        scores["tuned text alone"][test] = tuned[test, query]
        scores["tuned text and a head"][test] = head(tuned[test])
        scores["tuned text, head and forest"][test] = head(tuned[test]) + forest(tuned[test])
        plain_head, _ = fit_members(slates, train, zero_shot, seed, threads)
        scores["a head alone"][test] = plain_head(zero_shot[test])
        if progress is not None and task is not None:
            progress.advance(task)
    report = Report(dataset.info.name, "ours", {})
    add_rows(report, "judged queries", slates, scores, {"all": np.ones(len(slates), bool)})
    return report


def relevance(
    judged: list[Judged], elsewhere: list[Judged], train: RowArray, slates: Slates
) -> FloatArray:
    """R of all candidates of `slates`, (R,), by weights fitted on the queries `train`.

    judged: of each slate, its candidates in any order, and strangers that are learnt from;
    elsewhere: of another shop, that are learnt from as well
    """
    weights = fit_relevance([*(judged[index] for index in train.tolist()), *elsewhere])
    model = RelevanceModel.of({"with_vector": weights, "words_only": weights})
    parts: list[float] = []
    for index, one in enumerate(judged):
        assert one.rows is not None
        values = model.probability(one.columns, np.ones(len(one.columns), bool))
        by_row = dict(zip(one.rows.tolist(), values.tolist(), strict=True))
        parts += [by_row[row] for row in slates.item_rows[slates.part(index)].tolist()]
    return np.array(parts, np.float32)


def judged_slates(dataset: Dataset, seed: int) -> tuple[Slates, list[str]]:
    """A slate a query, and the text of each item, by row."""
    items = item_table(dataset)
    slates = build_slates(dataset, items, judged_cases(dataset, items), seed)
    return slates, [item.ranker_text for item in items.items]


def folds(slates: Slates, seed: int) -> Iterator[RowArray]:
    """The slates to train on, one fold after the other; the others are held out."""
    fold_of = np.random.default_rng(seed).permutation(len(slates)) % N_FOLDS
    for fold in range(N_FOLDS):
        yield np.flatnonzero(fold_of != fold)


def tuned_columns(
    tower: TextTower,
    slates: Slates,
    train: RowArray,
    zero_shot: FloatArray,
    texts: list[str],
    seed: int,
    progress: Progress | None,
) -> FloatArray:
    """The columns of all slates after `tower` was tuned on the slates `train`."""
    torch.manual_seed(seed)
    head = Head(zero_shot.shape[1])
    head.measure(zero_shot)
    tune(tower, head, slates.take(train), texts, seed, TUNING, progress=progress)
    return tower_columns(tower, slates, texts)


def fit_members(
    slates: Slates, train: RowArray, features: FloatArray, seed: int, threads: int
) -> tuple[ColumnScorer, ColumnScorer]:
    """Head and forest of the slates `train`, scaled to scores of standard deviation 1 there."""
    torch.manual_seed(seed)
    part = slates.take(train)
    rows = np.isin(slates.slate_of, train)
    head = Head(features.shape[1], units=(16, 8))
    fit_head(head, features[rows], part.labels, part.offsets, seed, HEAD)
    options = replace(FOREST, threads=threads)
    forest = fit_forest(features[rows], part.labels, part.weights, part.offsets, seed, options)

    def trees(columns: FloatArray) -> FloatArray:
        return np.asarray(forest.predict(columns, num_threads=threads), np.float32)

    head_std = float(head_scores(head, features[rows]).std()) + 1e-9
    tree_std = float(trees(features[rows]).std()) + 1e-9
    return lambda x: head_scores(head, x) / head_std, lambda x: trees(x) / tree_std


def tower_columns(tower: TextTower, slates: Slates, texts: list[str]) -> FloatArray:
    """Behaviour features and text matches of all candidates, (R, n)."""
    queries = sorted(set(slates.queries))
    judged = sorted(set(slates.item_rows.tolist()))
    encoded = tower.encode([*queries, *(texts[row] for row in judged)])
    vectors = np.zeros((len(texts), encoded.shape[1]), np.float32)
    vectors[judged] = encoded[len(queries) :]
    return columns(slates, vectors, dict(zip(queries, encoded, strict=False)))
