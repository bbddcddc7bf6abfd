"""Fits the relevance model of an encoder on judged queries of several shops.

`python -m serving.training.fit.relevance --encoder <version folder> --data grocery ... --out FILE`

A logistic model of few inputs (serving/search/relevance.py): it is read by serving as a handful of
weights, and queries of one kind of shop teach what holds in others (docs/quality.md, "Search").
Each shop counts the same, and within it each query.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich.progress import track
from scipy.optimize import minimize

from features.arrays import DoubleArray, FloatArray
from features.behavior.replay import item_table
from features.datasets.format import Dataset
from features.datasets.grocery.queries import made_queries
from features.datasets.registry import load
from serving.models.contract import MAX_TOKENS
from serving.models.runtime.text_vectors import TextEncoder
from serving.models.tokenizer import Tokenizer
from serving.search.dense import DenseIndex
from serving.search.matcher import Matcher
from serving.search.relevance import (
    INPUTS,
    OF_VECTOR,
    RelevanceModel,
    model_inputs,
)
from serving.search.text_relevance import TextRelevance
from serving.search.words.analysis import Analyzer

_DEPTH = 150  # of what words find, and of what vectors find: candidates of a judged query
_STRANGERS = 30  # items drawn from the rest of the catalogue
_RIDGE = 1e-3
# How often an item with so much gain is what a shopper would call an answer (ESCI: exact,
# substitute, complement, irrelevant).
_CHANCE = ((1.0, 1.0), (0.1, 0.35), (0.01, 0.1), (0.0, 0.03))


@dataclass(frozen=True, slots=True)
class Judged:
    """One query's candidates. columns: (n, len(COLUMNS)); chance: (n,), of being an answer."""

    columns: FloatArray
    chance: FloatArray
    weight: float


class Encoder:
    """Texts to vectors by the network of a published version."""

    def __init__(self, version: Path, threads: int = 2) -> None:
        self._tokenizer = Tokenizer(version / "tokenizer.json")
        self._network = TextEncoder(version / "text_encoder.onnx", threads, MAX_TOKENS)

    def encode(self, texts: list[str]) -> FloatArray:
        """Unit vectors (n, size)."""
        distinct = list(dict.fromkeys(texts))
        place = {text: at for at, text in enumerate(distinct)}
        vectors = self._network.encode(self._tokenizer.tokens(distinct, MAX_TOKENS))
        return vectors[[place[text] for text in texts]]


def judged_queries(
    dataset: Dataset, encoder: Encoder, seed: int = 7, split: str | None = None
) -> Iterator[Judged]:
    """The queries of a data set with how their candidates match.

    Of grocery, queries are made and judged completely; others' are judged for some items, and only
    those and strangers from far down are learnt from. split: only the made queries of this half
    """
    items = item_table(dataset)
    rows = np.arange(len(items))
    rng = np.random.default_rng(seed)
    dense = DenseIndex()
    dense.replace(rows, encoder.encode([item.ranker_text for item in items.items]))
    unfitted = RelevanceModel(*np.zeros((2, len(INPUTS) + 1), np.float32))
    matcher = Matcher(Analyzer("en"), dense, unfitted)
    matcher.update(rows, items)
    asked = list(_asked(dataset, split))
    vectors = encoder.encode([query for query, _, _ in asked])
    for (query, gains, complete), vector in track(
        list(zip(asked, vectors, strict=True)), description=dataset.info.name
    ):
        read = matcher.read(query, vector, _DEPTH)
        if complete:
            strangers = rng.choice(rows, min(_STRANGERS, len(rows)), replace=False)
            candidates = np.union1d(read.found, strangers)
            chance = np.isin(candidates, items.rows(list(gains))).astype(np.float32)
        else:
            judged = items.rows(list(gains))
            far = np.setdiff1d(rows, np.concatenate([judged, read.found]))
            strangers = rng.choice(far, min(_STRANGERS, len(far)), replace=False)
            candidates = np.concatenate([judged, strangers])
            of_judged = np.array([_chance(gain) for gain in gains.values()], np.float32)
            chance = np.concatenate([of_judged, np.zeros(len(strangers), np.float32)])
            chance, candidates = chance[candidates >= 0], candidates[candidates >= 0]
        columns = matcher.matches(read, items, candidates).columns
        yield Judged(columns, chance, 1.0 / len(asked))


def judged_texts(
    dataset: Dataset, encoder: Encoder, seed: int = 7, split: str | None = None
) -> Iterator[Judged]:
    """The same queries, with items as texts of which nothing else is known: their titles."""
    items = item_table(dataset)
    rng = np.random.default_rng(seed)
    asked = list(_asked(dataset, split))
    vectors = encoder.encode([query for query, _, _ in asked])
    titles = [item.title for item in items.items]
    of_titles = encoder.encode(titles)
    judge = TextRelevance()
    for (query, gains, complete), vector in zip(asked, vectors, strict=True):
        judged = items.rows(list(gains))
        judged, gain = judged[judged >= 0], np.array(list(gains.values()))[judged >= 0]
        if complete:
            near = np.argsort(-(of_titles @ vector))[:_DEPTH]
            judged = np.union1d(near, rng.permutation(judged)[:_DEPTH])
            chance = np.isin(judged, items.rows(list(gains))).astype(np.float32)
        else:
            chance = np.array([_chance(value) for value in gain], np.float32)
        strangers = rng.integers(0, len(titles), _STRANGERS)
        strangers = np.setdiff1d(strangers, items.rows(list(gains)))
        rows = np.concatenate([judged, strangers])
        chance = np.concatenate([chance, np.zeros(len(strangers), np.float32)])
        columns = judge.columns(query, [titles[row] for row in rows], of_titles[rows] @ vector)
        yield Judged(columns, chance, 1.0 / len(asked))


def judged_pairs(path: Path, encoder: Encoder, split: str = "dev") -> Iterator[Judged]:
    """Texts far from shops, from JSON lines of `query`, `text`, `relevant`, `split`."""
    lines = pd.read_json(path, lines=True)
    judge = TextRelevance()
    chosen = lines[lines["split"] == split]
    n_queries = chosen["query"].nunique()
    for query, pairs in chosen.groupby("query", sort=True):
        texts = pairs["text"].tolist()
        vectors = encoder.encode([str(query), *texts])
        columns = judge.columns(str(query), texts, vectors[1:] @ vectors[0])
        yield Judged(columns, pairs["relevant"].to_numpy(np.float32), 1.0 / n_queries)


def _fitted(judged: list[Judged]) -> dict[str, object]:
    return {
        "queries": len(judged),
        "with_vector": fit_relevance(judged),
        "words_only": fit_relevance(judged, words_only=True),
    }


def fit_relevance(judged: list[Judged], words_only: bool = False) -> dict[str, float]:
    """Weights by input, and the bias; words_only: as if there were no vectors."""
    inputs = model_inputs(np.concatenate([one.columns for one in judged]))
    if words_only:
        inputs = inputs.copy()
        hidden = [name for name in INPUTS if any(part in name for part in OF_VECTOR)]
        inputs[:, [INPUTS.index(name) for name in hidden]] = 0.0
    chance = np.concatenate([one.chance for one in judged])
    weights = np.concatenate(
        [np.full(len(one.chance), one.weight / len(one.chance)) for one in judged]
    )
    weights /= weights.sum()
    mean, spread = weights @ inputs, inputs.std(axis=0) + 1e-6
    scaled = (inputs - mean) / spread

    def loss(given: DoubleArray) -> tuple[float, DoubleArray]:
        logits = scaled @ given[1:] + given[0]
        error = (1 / (1 + np.exp(-logits)) - chance) * weights
        losses = np.logaddexp(0, logits) - chance * logits
        ridge = _RIDGE * (given[1:] ** 2).sum()
        slope = scaled.T @ error + 2 * _RIDGE * given[1:]
        return float(losses @ weights + ridge), np.concatenate([[error.sum()], slope])

    start = np.zeros(len(INPUTS) + 1)
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    slopes = np.where(spread > 1e-5, best[1:] / spread, 0.0)
    named = dict(zip(INPUTS, slopes.round(4).tolist(), strict=True))
    kept = {name: value for name, value in named.items() if value}
    return {**kept, "bias": round(float(best[0] - mean @ slopes), 4)}


def _asked(dataset: Dataset, split: str | None) -> Iterator[tuple[str, dict[str, float], bool]]:
    """Queries, the gains of their judged items, and whether all others are no answers."""
    if dataset.queries is None:
        for made in made_queries(dataset.items):
            if split in (None, made.split):
                yield made.query, dict.fromkeys(made.relevant, 1.0), True
        return
    for _, judged in dataset.queries.groupby("query_id", sort=True):
        named: pd.Series = judged.set_index("item_id")["gain"]
        yield str(judged["query"].iloc[0]), {str(k): float(v) for k, v in named.items()}, False


def _chance(gain: float) -> float:
    return next(chance for least, chance in _CHANCE if gain >= least)


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", type=Path, required=True, help="a version of the encoder")
    parser.add_argument("--data", nargs="+", default=["grocery"])
    parser.add_argument(
        "--texts", nargs="*", type=Path, default=[], help="JSON lines of query, text, relevant"
    )
    parser.add_argument("--cache", type=Path, default=Path("build/data"))
    parser.add_argument("--split", choices=["dev", "test"], help="of the made queries")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    encoder = Encoder(given.encoder)
    judged = [
        one
        for source in given.data
        for one in judged_queries(load(source, given.cache), encoder, split=given.split)
    ]
    of_texts = [
        one
        for source in given.data
        for one in judged_texts(load(source, given.cache), encoder, split=given.split)
    ]
    for path in given.texts:
        of_texts += judged_pairs(path, encoder)
    model = {
        "data": [*given.data, *map(str, given.texts)],
        "items": _fitted(judged),
        "texts": _fitted(of_texts),
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(model, indent=1) + "\n")
    print(f"{len(judged)} queries of items, {len(of_texts)} of texts: {given.out}")


if __name__ == "__main__":
    main()
