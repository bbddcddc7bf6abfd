"""Cases of a log that says what was shown: the rankings as they were seen, with graded labels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.catalog.table import ItemTable
from features.datasets.format import Dataset
from serving.training.data.cases import Case
from serving.training.data.lexical import Lexical

# What a label is worth, as in the fold's AFFINITY_WEIGHT. A purchase is the goal, but it comes with
# seven clicks: with these weights each kind of event carries a like share of the loss.
LABEL_WEIGHTS = {"click": 1.0, "add_to_cart": 3.0, "purchase": 5.0}


@dataclass(frozen=True, slots=True)
class Shown:
    """One ranking as it was seen, in order of position.

    A candidate's label is the largest LABEL_WEIGHTS of its events, 0 when it was only seen.
    """

    ranking_id: str
    case: Case
    positions: npt.NDArray[np.int64]  # 1-based


def shown_slates(dataset: Dataset, items: ItemTable) -> list[Shown]:
    """The log's rankings in order of time; each case stops before its first event.

    The log does not hold the score with which an item was retrieved, and the order shown would
    bring in the position bias. So a search's retrieval score is BM25 over titles, as in serving.
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
