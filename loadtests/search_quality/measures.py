"""What an answer to a judged query is worth: one value a query, NaN where there is none."""

from collections.abc import Sequence, Set

import numpy as np
import numpy.typing as npt

from loadtests.search_quality.cases import Case

Array = npt.NDArray[np.float64]
Measures = dict[str, Array]  # by name, float64 (n_queries,)
DEPTH, RECALL_DEPTH, TITLE_DEPTH = 10, 50, 3
MEASURES = {
    "ndcg@10": "NDCG of the first ten over the judged gains",
    "precision@10": "hits in the first ten / as many as there could be, min(10, n relevant)",
    "shown@10": "hits in the first ten / items shown there",
    "recall@50": "hits in the first 50 / as many as there could be, min(50, n relevant)",
    "empty": "share of queries with no item at all",
    "title@3": "share of queries that are a title in full, with that title in the first three",
}


def measure(cases: Sequence[Case], answers: Sequence[Sequence[str]], titles: Set[str]) -> Measures:
    """Measures of `answers`, item ids best first; `titles` are those of the catalogue.

    A query that nothing answers has only `empty`: an empty answer is the right one there.
    """
    rows = [_row(case, answer, titles) for case, answer in zip(cases, answers, strict=True)]
    values = np.array(rows, np.float64).reshape(-1, len(MEASURES))
    return dict(zip(MEASURES, values.T, strict=True))


def mean_of(several: Sequence[Measures]) -> Measures:
    """The mean of the same queries' measures, over shoppers for example."""
    return {name: np.mean([each[name] for each in several], axis=0) for name in MEASURES}


def taken(measures: Measures, chosen: npt.NDArray[np.bool_]) -> Measures:
    """The queries that `chosen` (n_queries,) names."""
    return {name: values[chosen] for name, values in measures.items()}


def _row(case: Case, answer: Sequence[str], titles: Set[str]) -> list[float]:
    relevant = case.relevant
    empty = float(not answer)
    if not relevant:
        return [np.nan, np.nan, np.nan, np.nan, empty, np.nan]
    hits = np.array([item in relevant for item in answer[:RECALL_DEPTH]], bool)
    first = int(hits[:DEPTH].sum())
    shown = min(len(answer), DEPTH)
    return [
        _ndcg(case, answer),
        first / min(DEPTH, len(relevant)),
        first / shown if shown else np.nan,
        int(hits.sum()) / min(RECALL_DEPTH, len(relevant)),
        empty,
        float(hits[:TITLE_DEPTH].any()) if case.query in titles else np.nan,
    ]


def _ndcg(case: Case, answer: Sequence[str]) -> float:
    discount = 1 / np.log2(np.arange(DEPTH) + 2)
    gains = [case.gains.get(item, 0.0) for item in answer[:DEPTH]]
    ideal = sorted(case.gains.values(), reverse=True)[:DEPTH]
    return float(gains @ discount[: len(gains)]) / float(ideal @ discount[: len(ideal)])
