"""Cases of a log that says what was shown: slates with graded labels, position bias corrected.

Position-based model (Richardson et al., 2007): an item is clicked when it is examined, which
depends on its position alone, and wanted. Clicks far down are weighted by the inverse of the
examination propensity, so that in expectation the loss is that of a log without the bias (Joachims,
Swaminathan, Schnabel, 2017, "Unbiased learning-to-rank with biased feedback").
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import lightgbm
import numpy as np
import numpy.typing as npt

from features.catalog.table import ItemTable
from features.datasets.format import Dataset
from serving.training.arrays import FloatArray
from serving.training.data.cases import Case
from serving.training.data.lexical import Lexical
from serving.training.data.slates import Slates, in_slate_order

# What a label is worth. A purchase is the goal, but there are seven clicks to one: with these
# weights (the same as the fold's AFFINITY_WEIGHT) each kind carries a like share of the loss.
LABEL_WEIGHTS = {"click": 1.0, "add_to_cart": 3.0, "purchase": 5.0}
MAX_INVERSE = 10.0  # clipped: a click at the bottom may not outweigh a whole batch
EM_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Shown:
    """One slate as it was seen, in order of position; labels as LABEL_WEIGHTS, 0 = no more."""

    ranking_id: str
    case: Case
    positions: npt.NDArray[np.int64]  # 1-based


def shown_slates(dataset: Dataset, items: ItemTable) -> list[Shown]:
    """The log's rankings in order of time; each case stops before its first event.

    The log does not say with what score an item was retrieved, and the order shown would bring the
    position bias in: a search's retrieval score is BM25 over titles, as our own retrieval has it.
    """
    lexical = Lexical(items)
    events = dataset.events
    kinds = events["type"].to_numpy()
    rankings = events["ranking_id"].to_numpy()
    item_rows = items.rows(events["item_id"].tolist())
    best: dict[tuple[str, int], float] = {}
    for kind, weight in LABEL_WEIGHTS.items():
        for number in np.flatnonzero((kinds == kind) & (rankings != "")).tolist():
            key = (rankings[number], int(item_rows[number]))
            best[key] = max(best.get(key, 0.0), weight)
    members: dict[str, list[int]] = {}
    for number in np.flatnonzero((kinds == "impression") & (rankings != "")).tolist():
        if item_rows[number] >= 0:
            members.setdefault(rankings[number], []).append(number)
    times = events["at"].to_numpy(np.float64)
    places = events["position"].to_numpy(np.int64)
    users, sessions = events["user_id"].to_numpy(), events["session_id"].to_numpy()
    queries = events["query"].to_numpy()
    out = []
    for ranking, numbers in members.items():
        numbers = sorted(numbers, key=lambda number: places[number])
        first = min(numbers)
        rows = item_rows[numbers]
        labels = np.array([best.get((ranking, row), 0.0) for row in rows.tolist()], np.float32)
        case = Case(
            int(np.searchsorted(times, times[first])), float(times[first]),
            users[first], sessions[first], queries[first],
            rows=rows, labels=labels, weights=np.ones(len(rows), np.float32),
            retrieval_score=lexical.scores(queries[first], rows) if queries[first] else None,
        )  # fmt: skip
        out.append(Shown(ranking, case, places[numbers]))
    return sorted(out, key=lambda shown: shown.case.position)


def inverse_weights(
    positions: npt.NDArray[np.int64], labels: FloatArray, propensities: FloatArray
) -> FloatArray:
    """Weight of each label: 1 / propensity of its position where there is one, else 1."""
    examined = propensities[np.minimum(positions, len(propensities)) - 1]
    weights: FloatArray = np.ones(len(labels), np.float32)
    wanted = labels > 0
    weights[wanted] = np.minimum(1 / examined[wanted], MAX_INVERSE)
    return weights


def estimate_propensities(
    clicked: npt.NDArray[np.bool_],
    positions: npt.NDArray[np.int64],
    features: FloatArray,
    seed: int,
) -> FloatArray:
    """P(examined) by position relative to the first, float32 (largest position,).

    Regression EM (Wang et al., 2018, "Position bias estimation for unbiased learning to rank in
    personal search"): alternately the chance that each shown item was examined and was wanted, and
    the trees that predict the latter from `features` (n, n_features), which hold no position.
    """
    last = int(positions.max())
    place = positions - 1
    shown = np.bincount(place, minlength=last).astype(np.float64)
    rate = np.bincount(place, clicked, minlength=last) / np.maximum(shown, 1)
    examined = np.clip(rate / max(rate[0], 1e-9), 1e-3, 1.0)
    wanted = np.full(len(place), max(float(rate[0]), 1e-3))
    click = clicked.astype(np.float64)
    for _ in range(EM_ROUNDS):
        chance = np.clip(1 - examined[place] * wanted, 1e-9, None)
        was_examined = click + (1 - click) * examined[place] * (1 - wanted) / chance
        was_wanted = click + (1 - click) * wanted * (1 - examined[place]) / chance
        examined = np.bincount(place, was_examined, minlength=last) / np.maximum(shown, 1)
        wanted = _expected(features, was_wanted, seed)
    return np.asarray(examined / examined[0], np.float32)


def _expected(
    features: FloatArray, target: npt.NDArray[np.float64], seed: int
) -> npt.NDArray[np.float64]:
    data = lightgbm.Dataset(features, target)
    trees = lightgbm.train(
        {
            "objective": "cross_entropy",
            "num_leaves": 31,
            "learning_rate": 0.15,
            "min_data_in_leaf": 100,
            "num_threads": 2,
            "seed": seed,
            "deterministic": True,
            "verbosity": -1,
        },
        data,
        50,
    )
    predicted = np.asarray(trees.predict(features, num_threads=2), np.float64)
    return np.asarray(np.clip(predicted, 1e-4, 1 - 1e-4))


def debiased(
    shown: Sequence[Shown], slates: Slates, features: FloatArray, seed: int
) -> tuple[Slates, FloatArray]:
    """`slates` with inverse-propensity weights, and the propensities estimated from them.

    `features`: (R, n) columns of `slates`, by which the estimate tells what is wanted.
    """
    positions = in_slate_order(
        [each.positions for each in shown], [each.case for each in shown], slates
    )
    propensities = estimate_propensities(slates.labels > 0, positions, features, seed)
    return replace(slates, weights=inverse_weights(positions, slates.labels, propensities)), (
        propensities
    )
