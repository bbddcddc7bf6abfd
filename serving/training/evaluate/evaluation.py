"""Measures a bundle against baselines on the test period of its data set."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

from features.arrays import FloatArray
from features.behavior.matrix import COLUMN, FEATURE_NAMES
from features.behavior.neighbors import item_interactions
from features.behavior.replay import item_table
from features.datasets.format import Dataset
from features.objective import Objective
from serving.training.data.plans import make_plan
from serving.training.data.slate_building import build_slates
from serving.training.data.slates import Slates, in_slate_order
from serving.training.evaluate import baselines
from serving.training.evaluate.baselines import Baseline
from serving.training.evaluate.int8_vectors import int8_vectors
from serving.training.evaluate.report import Report, add_rows
from serving.training.evaluate.test_sets import (
    FIXED_CASES,
    TestSet,
    fixed_test_sets,
    purchase_test_sets,
    simulated_test_sets,
    slates_of_sets,
)
from serving.training.fit.bundle import Bundle
from serving.training.fit.columns import columns, distinct_queries, split_vectors, text_columns
from serving.training.fit.forest import ForestOptions
from serving.training.fit.network import TextTower
from serving.training.publish.base_model import base_folder

Vectors = tuple[FloatArray, dict[str, FloatArray]]  # items by row, queries by text
OURS = "ours, int8"
RULES = "rules"
SHORTLISTS = (50, 25)
DEFAULT_SEED = 7
COLD_SHOPPER_INTERACTIONS = 5


def evaluate(
    dataset: Dataset,
    source: Path,
    bundle: Bundle,
    n_cases: int = 1_000,
    n_catalogue: int = 150,
    threads: int = 2,
    progress: Progress | None = None,
) -> Report:
    """Measure all rankers on all test sets; `source`: the folder that may hold fixed cases."""
    seed = int(bundle.training["options"]["seed"])
    n_train = int(bundle.training["options"]["n_train"])
    items = item_table(dataset)
    plan = make_plan(dataset, items, seed, n_train, objective_of(bundle))
    if (source / FIXED_CASES).is_file():
        sets = fixed_test_sets(source, dataset, items, plan)
    elif plan.task == "impressions":
        sets = simulated_test_sets(dataset, items, plan, seed)
    else:
        sets = purchase_test_sets(dataset, items, plan, seed, n_cases, n_catalogue)
    fitting = [*plan.train, *plan.valid]
    cases = [*fitting, *(case for test_set in sets for case in test_set.cases)]
    slates = build_slates(dataset, items, cases, seed, progress, plan.refresh_s)
    vectors = _vectors(bundle, [item.ranker_text for item in items.items], slates)
    training = slates.take(np.arange(len(fitting)))
    taken = item_interactions(dataset.events, items).before(plan.test_from_s)
    text = text_columns(training, *vectors["zero-shot"])
    options = ForestOptions(threads=threads)
    rankers: dict[str, Baseline] = {
        "popularity": baselines.column("item_purchase_120d"),
        "recent popularity": baselines.column("item_purchase_7d"),
        "BM25": baselines.column("retrieval_score"),
        "zero-shot MiniLM": baselines.text_alone,
        "item-to-item (implicit)": baselines.item_to_item(taken, len(items)),
        "EASE": baselines.column("user_bought_neighbor"),
        "bought before, most often": baselines.bought_before,
        RULES: baselines.by_rules(items),
        "LambdaMART, behaviour": baselines.lambdamart(training, None, seed, options),
        "LambdaMART, behaviour + text": baselines.lambdamart(training, text, seed, options),
    }
    if not any(slates.queries):
        del rankers["BM25"]
    report = Report(dataset.info.name, OURS, bundle.training["metrics"])
    for test_set, part in slates_of_sets(sets, slates, len(fitting)):
        _measure(report, test_set, part, rankers, bundle, vectors)
    return report


def objective_of(bundle: Bundle) -> Objective:
    """What its labels were made by; a bundle of before says nothing of it."""
    return Objective.model_validate(bundle.training.get("objective", {}))


def _vectors(bundle: Bundle, texts: list[str], slates: Slates) -> dict[str, Vectors]:
    """Item and query vectors of the base tower and of ours, in float32 and int8."""
    queries = distinct_queries(slates)
    all_texts = [*texts, *queries]
    vectors_by_tower = {
        "zero-shot": TextTower(base_folder()).encode(all_texts),
        "fp32": bundle.tower().encode(all_texts),
        "int8": int8_vectors(bundle.folder, all_texts, int(bundle.training["max_tokens"])),
    }
    return {name: split_vectors(rows, queries) for name, rows in vectors_by_tower.items()}


def _measure(
    report: Report,
    test_set: TestSet,
    slates: Slates,
    rankers: dict[str, Baseline],
    bundle: Bundle,
    vectors: dict[str, Vectors],
) -> None:
    text = text_columns(slates, *vectors["zero-shot"])
    scores = {name: score(slates, text) for name, score in rankers.items()}
    for precision in ("fp32", "int8"):
        scores[f"ours, {precision}"] = bundle.scores(columns(slates, *vectors[precision]))
    for n in SHORTLISTS:
        scores[f"ours, best {n} by rules"] = baselines.shortlisted(
            slates, scores[OURS], scores[RULES], n
        )
    features = columns(slates, *vectors["int8"])
    scores["ours, text alone"] = baselines.text_alone(slates, features[:, len(FEATURE_NAMES) :])
    for name, raw in bundle.parts(features).items():
        scores[f"ours, {name} alone"] = raw
    features[:, len(FEATURE_NAMES) :] = np.nan
    scores["ours, text hidden"] = bundle.scores(features)
    if test_set.truth is not None:
        scores["oracle"] = in_slate_order(test_set.truth, test_set.cases, slates)
    cold_shopper = test_set.cold_shopper
    if cold_shopper is None:
        cold_shopper = slates.interactions < COLD_SHOPPER_INTERACTIONS
    groups = {"all": np.ones(len(slates), bool), "known shoppers": ~cold_shopper}
    groups["cold shoppers"] = cold_shopper
    cold_item = test_set.cold_item
    groups["cold items"] = _new_wanted(slates) if cold_item is None else cold_item
    groups["cold items, known shoppers"] = groups["cold items"] & ~cold_shopper
    add_rows(report, test_set.name, slates, scores, groups)


def _new_wanted(slates: Slates) -> npt.NDArray[np.bool_]:
    """Slates in which no wanted item has any behaviour: bool (n,)."""
    seen = ~np.isnan(slates.features[:, COLUMN["item_purchase_120d"]]) & (slates.labels > 0)
    is_new: npt.NDArray[np.bool_] = np.add.reduceat(seen, slates.offsets[:-1]) == 0
    return is_new
