"""Fits the relevance model of an encoder on judged queries of several shops.

    python -m serving.training.fit.search.relevance --encoder VERSION --data grocery --out FILE

A logistic model of few inputs (serving/search/relevance.py): it is read by serving as a handful of
weights, and queries of one kind of shop teach what holds in others (docs/quality.md, "Search").
Each shop counts the same, and within it each query.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from features.arrays import DoubleArray
from features.datasets.registry import load
from serving.search.relevance import INPUTS, OF_VECTOR, model_inputs
from serving.training.data.judged_queries import (
    Encoder,
    Judged,
    judged_pairs,
    judged_queries,
    judged_texts,
    names_across,
)

_RIDGE = 1e-3


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


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", type=Path, required=True, help="a version of the encoder")
    parser.add_argument("--tokenizer", type=Path, help="default: the version's tokenizer.json")
    parser.add_argument("--names", type=Path, help="Parquet of category names in languages")
    parser.add_argument("--data", nargs="+", default=["grocery"])
    parser.add_argument(
        "--texts", nargs="*", type=Path, default=[], help="JSON lines of query, text, relevant"
    )
    parser.add_argument(
        "--least", nargs=3, type=float, default=(0.1, 0.15, 0.4),
        help="what an answer needs: relevance of its own, as a share of the best one's, and the "
        "cosine of an item that has none of the query's words",
    )  # fmt: skip
    parser.add_argument("--cache", type=Path, default=Path("build/data"))
    parser.add_argument("--split", choices=["dev", "test"], help="of the made queries")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    encoder = Encoder(given.encoder, given.tokenizer or given.encoder / "tokenizer.json")
    judged = [
        one
        for source in given.data
        for one in judged_queries(load(source, given.cache), encoder, split=given.split)
    ]
    if given.names:
        judged += names_across(given.names, encoder)
    of_texts = [
        one
        for source in given.data
        for one in judged_texts(load(source, given.cache), encoder, split=given.split)
    ]
    for path in given.texts:
        of_texts += judged_pairs(path, encoder)
    model = {
        "data": [Path(source).name for source in (*given.data, *given.texts)],
        "least": dict(zip(("relevance", "of_best", "cosine"), given.least, strict=True)),
        "items": _fitted(judged),
        "texts": _fitted(of_texts),
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(model, indent=1) + "\n")
    print(f"{len(judged)} queries of items, {len(of_texts)} of texts: {given.out}")


if __name__ == "__main__":
    main()
