"""Measure a bundle against baselines on the test period of its data set.

    python -m serving.model.evaluation --data grocery --bundle serving/model/demo_bundle

Prints a table; writes build/reports/evaluate-<name>.json and .png.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import Progress

from features.datasets.format import Dataset, DatasetError
from features.datasets.registry import load
from features.matrix import COLUMN, FEATURE_NAMES
from features.neighbors import takings
from features.replay import item_table
from serving.model import baselines
from serving.model.baselines import Scorer
from serving.model.bundle import Bundle, columns, text_columns
from serving.model.forest import ForestOptions
from serving.model.int8_vectors import int8_vectors
from serving.model.judged import evaluate_judged
from serving.model.network import TextTower, base_folder
from serving.model.plans import make_plan, task_of
from serving.model.report import Report, add_rows, show, write
from serving.model.rows import Slates, build_slates, in_slate_order
from serving.model.test_sets import (
    FIXED_CASES,
    TestSet,
    fixed_test_sets,
    purchase_test_sets,
    simulated_test_sets,
)

FloatArray = npt.NDArray[np.float32]
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
    """Every ranker on every test set; `source` is where fixed cases may lie."""
    seed = int(bundle.training["options"]["seed"])
    n_train = int(bundle.training["options"]["n_train"])
    items = item_table(dataset)
    plan = make_plan(dataset, items, seed, n_train)
    if (source / FIXED_CASES).is_file():
        sets = fixed_test_sets(source, dataset, items, plan)
    elif plan.task == "impressions":
        sets = simulated_test_sets(dataset, items, plan, seed)
    else:
        sets = purchase_test_sets(dataset, items, plan, seed, n_cases, n_catalogue)
    fitting = [*plan.train, *plan.valid]
    cases = [*fitting, *(case for each in sets for case in each.cases)]
    slates = build_slates(dataset, items, cases, seed, progress, plan.refresh_s)
    vectors = _vectors(bundle, [item.ranker_text for item in items.items], slates)
    training = slates.take(np.arange(len(fitting)))
    taken = takings(dataset.events, items).before(plan.test_from_s)
    text = text_columns(training, *vectors["zero-shot"])
    options = ForestOptions(threads=threads)
    scorers: dict[str, Scorer] = {
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
        del scorers["BM25"]
    report = Report(dataset.info.name, OURS, bundle.training["metrics"])
    start = len(fitting)
    for each in sets:
        part = slates.take(np.arange(start, start + len(each.cases)))
        start += len(each.cases)
        _measure(report, each, part, scorers, bundle, vectors)
    return report


def _vectors(bundle: Bundle, texts: list[str], slates: Slates) -> dict[str, Vectors]:
    """Item and query vectors of the base tower and of ours, in float32 and int8."""
    queries = sorted({query for query in slates.queries if query})
    every = [*texts, *queries]
    found = {
        "zero-shot": TextTower(base_folder()).encode(every),
        "fp32": bundle.tower().encode(every),
        "int8": int8_vectors(bundle.folder, every, int(bundle.training["max_tokens"])),
    }
    return {
        name: (rows[: len(texts)], dict(zip(queries, rows[len(texts) :], strict=True)))
        for name, rows in found.items()
    }


def _measure(
    report: Report,
    test_set: TestSet,
    slates: Slates,
    scorers: dict[str, Scorer],
    bundle: Bundle,
    vectors: dict[str, Vectors],
) -> None:
    text = text_columns(slates, *vectors["zero-shot"])
    scores = {name: scorer(slates, text) for name, scorer in scorers.items()}
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
    """Slates whose every wanted item has no behaviour at all: bool (n,)."""
    seen = ~np.isnan(slates.features[:, COLUMN["item_purchase_120d"]]) & (slates.labels > 0)
    known: npt.NDArray[np.bool_] = np.add.reduceat(seen, slates.offsets[:-1]) == 0
    return known


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
        dataset = load(given.data, given.cache, given.items)
        if task_of(dataset) == "judged":
            with Progress(console=console) as progress:
                report = evaluate_judged(dataset, DEFAULT_SEED, given.threads, progress)
            show(report, console)
            write(report, given.out)
            return 0
        with Progress(console=console) as progress, tempfile.TemporaryDirectory() as scratch:
            bundle = _bundle(given.bundle, dataset, Path(scratch), progress)
            report = evaluate(
                dataset, Path(given.data), bundle, given.cases,
                threads=given.threads, progress=progress,
            )  # fmt: skip
    except (DatasetError, ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    show(report, console)
    write(report, given.out)
    return 0


def _bundle(given: Path | None, dataset: Dataset, scratch: Path, progress: Progress) -> Bundle:
    if given is not None:
        return Bundle(given)
    from serving.model.training import TrainingOptions, train  # only when there is none

    train(dataset, scratch / "bundle", TrainingOptions(), progress)
    return Bundle(scratch / "bundle")


if __name__ == "__main__":
    sys.exit(main())
